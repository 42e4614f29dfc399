// The sizes of memory pages that the core counts with.
#pragma once

#include <cstddef>

namespace pt {

inline constexpr size_t kPage = 4096;
inline constexpr size_t kHugePage = size_t{2} << 20;

}  // namespace pt
