// ProtoWriter: writes protobuf fields into memory that was measured before (the Size functions).
//
// Thread rule: a value. Owner rule: the memory is borrowed and has room for what is written.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "wire/proto_reader.h"

namespace pt::wire {

constexpr size_t VarintSize(uint64_t value) {
  return (static_cast<size_t>(std::bit_width(value | 1)) + 6) / 7;
}

// Tag and length of a field of `size` bytes. REQUIRES: field < 16, as all fields written here.
constexpr size_t BytesHeadSize(uint64_t size) { return 1 + VarintSize(size); }
constexpr uint64_t BytesFieldSize(uint64_t size) { return BytesHeadSize(size) + size; }
// A proto3 string field: nothing when it is empty.
constexpr uint64_t TextFieldSize(std::string_view text) {
  return text.empty() ? 0 : BytesFieldSize(text.size());
}

class ProtoWriter {
 public:
  explicit ProtoWriter(char* to) : at_(to) {}

  char* at() const { return at_; }
  void Raw(std::string_view bytes) {
    if (!bytes.empty()) std::memcpy(at_, bytes.data(), bytes.size());
    at_ += bytes.size();
  }
  void Varint(uint64_t value) {
    while (value >= 0x80) {
      *at_++ = static_cast<char>(value | 0x80);
      value >>= 7;
    }
    *at_++ = static_cast<char>(value);
  }
  void Tag(uint32_t field, WireType type) {
    *at_++ = static_cast<char>(field << 3 | static_cast<uint32_t>(type));
  }
  void BytesHead(uint32_t field, uint64_t size) {
    Tag(field, WireType::kBytes);
    Varint(size);
  }
  void Bytes(uint32_t field, std::string_view bytes) {
    BytesHead(field, bytes.size());
    Raw(bytes);
  }
  void Text(uint32_t field, std::string_view text) {
    if (!text.empty()) Bytes(field, text);
  }
  void VarintField(uint32_t field, uint64_t value) {
    Tag(field, WireType::kVarint);
    Varint(value);
  }
  void Fixed64Field(uint32_t field, uint64_t value) {
    Tag(field, WireType::kFixed64);
    Raw({reinterpret_cast<const char*>(&value), sizeof(value)});
  }

 private:
  char* at_;
};

}  // namespace pt::wire
