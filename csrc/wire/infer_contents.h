// InferTensorContents: tensor elements as typed protobuf fields, turned into the bytes of a tensor.
//
// Thread rule: pure functions.
// Owner rule: the bytes given are borrowed for the call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace pt::wire {

// The field numbers of InferTensorContents.
enum class ContentsField : uint8_t {
  kBool = 1,
  kInt32 = 2,
  kInt64 = 3,
  kUint32 = 4,
  kUint64 = 5,
  kFp32 = 6,
  kFp64 = 7,
  kBytes = 8,
};
inline constexpr int kContentsFields = 8;

// True when `message` is a well-formed InferTensorContents. `depth`: how deep it lies.
bool CheckContents(std::string_view message, int depth);

// How many elements each field has, over all parts of the message; the index is the field number.
// REQUIRES for both: each part passed CheckContents.
struct ContentsCounts {
  uint64_t elements[kContentsFields + 1] = {};
  uint64_t string_bytes = 0;  // in the elements of kBytes, without their lengths
};
ContentsCounts CountContents(std::span<const std::string_view> parts);

// Writes the elements of `field` one after another: integers cut to `width` bytes, kBool as one
// byte, kBytes with a 4-byte length before each. `to` has room for elements * width bytes, for
// kBytes elements * 4 + string_bytes.
void CopyContents(std::span<const std::string_view> parts, ContentsField field, size_t width,
                  char* to);

}  // namespace pt::wire
