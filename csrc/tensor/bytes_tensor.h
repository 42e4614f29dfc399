// BYTES tensors: elements that each follow their length, a 4-byte little-endian integer. Walks,
// checks and writes them; the bytes of an element are opaque (no text encoding is assumed).
//
// Thread rule: pure functions and values. Views point into the data that was given.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/block.h"

namespace pt {

inline constexpr size_t kBytesLengthSize = 4;

// Walks the elements of a BYTES tensor.
class BytesReader {
 public:
  explicit BytesReader(std::string_view data) : rest_(data) {}

  // The next element; empty at the end, and when what is left is no whole element (then `rest` is
  // not empty).
  std::optional<std::string_view> Next();
  // What was not read yet.
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

enum class BytesFault { kNone, kTooFew, kTooMany, kCutLength, kCutElement };

// What is wrong with the data of a BYTES tensor, and the numbers a message needs.
struct BytesCheck {
  BytesFault fault = BytesFault::kNone;
  int64_t elements = 0;    // whole elements before the fault
  uint64_t expected = 0;   // kCutLength, kCutElement: bytes that were announced
  uint64_t available = 0;  // and those that are there
};

// Checks that `data` holds exactly `element_count` elements and nothing after them.
BytesCheck CheckBytes(std::string_view data, int64_t element_count);

// Appends one element with its length. REQUIRES: element.size() < 2^32.
void AppendBytesElement(std::string_view element, std::string* out);

// A block of its own with all elements. Empty (no owner) when an element is longer than 2^32 - 1
// bytes or the system has no memory; zero elements give an owner and no bytes.
Slice EncodeBytes(std::span<const std::string_view> elements);

}  // namespace pt
