// DataType: the 14 element types of the protocol, their names and sizes.
//
// Thread rule: constant data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace pt {

enum class DataType : uint8_t {
  kInvalid,
  kBool,
  kUint8,
  kUint16,
  kUint32,
  kUint64,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kFp16,
  kFp32,
  kFp64,
  kBytes,
  kBf16,
};

// "BOOL", "UINT8", ... "BYTES", "BF16": the names of the wire (spec/triton-frontend 2.1).
std::string_view DataTypeName(DataType type);
// kInvalid for an unknown name.
DataType ParseDataType(std::string_view name);
// "TYPE_FP32", "TYPE_STRING" ...: the names of model configurations.
std::string_view DataTypeConfigName(DataType type);
// Bytes of one element; 0 for kBytes (length-prefixed elements) and kInvalid.
size_t DataTypeSize(DataType type);

}  // namespace pt
