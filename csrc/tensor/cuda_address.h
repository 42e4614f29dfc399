// Device addresses as pointers and back: the driver speaks in numbers, blocks and slices in
// pointers. Such a pointer is never followed on the host.
//
// Thread rule: pure.
#pragma once

#include <cstdint>

#include "tensor/cuda_driver.h"

namespace pt {

inline CudaAddress AddressOf(const void* pointer) { return reinterpret_cast<uintptr_t>(pointer); }

template <typename T = char>
T* PointerTo(CudaAddress address) {
  // NOLINTNEXTLINE(performance-no-int-to-ptr): the number is all there is
  return reinterpret_cast<T*>(static_cast<uintptr_t>(address));
}

}  // namespace pt
