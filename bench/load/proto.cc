#include "load/proto.h"

namespace pt::load {
namespace {
constexpr int kVarint = 0;
constexpr int kFixed64 = 1;
constexpr int kLengthDelimited = 2;
constexpr int kFixed32 = 5;
}  // namespace

void AppendVarint(std::string& out, uint64_t value) {
  while (value >= 0x80) {
    out += static_cast<char>(value | 0x80);
    value >>= 7;
  }
  out += static_cast<char>(value);
}

void AppendBytesHead(std::string& out, int field, size_t size) {
  AppendVarint(out, static_cast<uint64_t>(field) << 3 | kLengthDelimited);
  AppendVarint(out, size);
}

void AppendBytesField(std::string& out, int field, std::string_view bytes) {
  AppendBytesHead(out, field, bytes.size());
  out += bytes;
}

std::optional<uint64_t> ProtoReader::NextVarint() {
  uint64_t value = 0;
  for (size_t i = 0; i < bytes_.size() && i < 10; ++i) {
    uint8_t byte = static_cast<uint8_t>(bytes_[i]);
    value |= static_cast<uint64_t>(byte & 0x7f) << (7 * i);
    if ((byte & 0x80) == 0) {
      bytes_.remove_prefix(i + 1);
      return value;
    }
  }
  is_broken_ = !bytes_.empty();
  return std::nullopt;
}

std::optional<ProtoReader::Field> ProtoReader::Next() {
  std::optional<uint64_t> tag = NextVarint();
  if (!tag) return std::nullopt;
  Field field;
  field.number = static_cast<int>(*tag >> 3);
  int type = static_cast<int>(*tag & 7);
  size_t size = type == kFixed64 ? 8 : type == kFixed32 ? 4 : 0;
  if (type == kVarint || type == kLengthDelimited) {
    std::optional<uint64_t> value = NextVarint();
    is_broken_ = !value;
    if (is_broken_) return std::nullopt;
    field.value = *value;
    if (type == kLengthDelimited) size = *value;
  } else {
    is_broken_ = size == 0;
  }
  is_broken_ = is_broken_ || size > bytes_.size();
  if (is_broken_) return std::nullopt;
  field.bytes = bytes_.substr(0, size);
  bytes_.remove_prefix(size);
  return field;
}

}  // namespace pt::load
