// DLPack's structures, as its ABI has them (version 0, which every library takes and gives): how
// arrays of different libraries share memory without a copy.
//
// Thread rule: plain data. Owner rule: whoever holds a managed tensor calls its deleter once.
#pragma once

#include <cstdint>

namespace pt::bindings::dlpack {

inline constexpr char kCapsule[] = "dltensor";

enum DeviceType : int32_t { kCpu = 1, kCuda = 2, kCudaHost = 3, kCudaManaged = 13 };

enum TypeCode : uint8_t { kInt = 0, kUint = 1, kFloat = 2, kBfloat = 4, kBool = 6 };

struct Device {
  int32_t type;
  int32_t id;
};

struct Type {
  uint8_t code;
  uint8_t bits;
  uint16_t lanes;
};

struct Tensor {
  void* data;
  Device device;
  int32_t rank;
  Type type;
  int64_t* shape;
  int64_t* strides;  // in elements; null: contiguous, row-major
  uint64_t byte_offset;
};

struct ManagedTensor {
  Tensor tensor;
  void* manager;
  void (*deleter)(ManagedTensor* self);
};

}  // namespace pt::bindings::dlpack
