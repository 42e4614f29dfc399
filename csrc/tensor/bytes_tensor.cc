#include "tensor/bytes_tensor.h"

#include <cstring>
#include <limits>
#include <utility>

#include "base/status.h"

namespace pt {
namespace {

// REQUIRES: kBytesLengthSize bytes at `data`.
uint32_t ReadLength(const char* data) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(data);
  return uint32_t{bytes[0]} | uint32_t{bytes[1]} << 8 | uint32_t{bytes[2]} << 16 |
         uint32_t{bytes[3]} << 24;
}

void WriteLength(size_t length, char* out) {
  for (size_t i = 0; i < kBytesLengthSize; ++i) out[i] = static_cast<char>(length >> (8 * i));
}

BytesCheck CutFault(std::string_view rest, int64_t elements) {
  BytesCheck check;
  check.elements = elements;
  if (rest.size() < kBytesLengthSize) {
    check.fault = BytesFault::kCutLength;
    check.expected = kBytesLengthSize;
    check.available = rest.size();
  } else {
    check.fault = BytesFault::kCutElement;
    check.expected = ReadLength(rest.data());
    check.available = rest.size() - kBytesLengthSize;
  }
  return check;
}

}  // namespace

std::optional<std::string_view> BytesReader::Next() {
  if (rest_.size() < kBytesLengthSize) return std::nullopt;
  const size_t length = ReadLength(rest_.data());
  if (rest_.size() - kBytesLengthSize < length) return std::nullopt;
  const std::string_view element = rest_.substr(kBytesLengthSize, length);
  rest_.remove_prefix(kBytesLengthSize + length);
  return element;
}

BytesCheck CheckBytes(std::string_view data, int64_t element_count) {
  BytesReader reader(data);
  BytesCheck check;
  while (!reader.rest().empty()) {
    if (!reader.Next()) return CutFault(reader.rest(), check.elements);
    if (check.elements == element_count) {
      check.fault = BytesFault::kTooMany;
      return check;
    }
    ++check.elements;
  }
  if (check.elements < element_count) check.fault = BytesFault::kTooFew;
  return check;
}

void AppendBytesElement(std::string_view element, std::string* out) {
  PT_DCHECK(element.size() <= std::numeric_limits<uint32_t>::max());
  char length[kBytesLengthSize];
  WriteLength(element.size(), length);
  out->append(length, sizeof length).append(element);
}

Slice EncodeBytes(std::span<const std::string_view> elements) {
  size_t size = 0;
  for (const std::string_view element : elements) {
    if (element.size() > std::numeric_limits<uint32_t>::max()) return {};
    size += kBytesLengthSize + element.size();
  }
  BlockRef block = NewBlock(size);
  if (!block) return {};
  char* const data = block->data();
  char* at = data;
  for (const std::string_view element : elements) {
    WriteLength(element.size(), at);
    at += kBytesLengthSize;
    if (!element.empty()) std::memcpy(at, element.data(), element.size());
    at += element.size();
  }
  return {std::move(block), data, size};
}

}  // namespace pt
