#include "wire/json_writer.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace pt::wire {
namespace {

constexpr size_t kMinGrowth = 256;
constexpr int kMaxPlainDigits = 21;  // RapidJSON: larger numbers get an exponent
constexpr int kMinPlainExponent = -6;
constexpr double kExactIntegers = 9007199254740992.0;  // 2^53
constexpr size_t kEscapeRoom = 6;                      // \u00XX
constexpr size_t kMaxDigits = 17;                      // shortest round-trip form of a double

bool NeedsEscape(uint8_t byte) { return byte < 0x20 || byte == '"' || byte == '\\'; }

char* PutText(std::string_view text, char* out) {
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

char* PutZeros(int count, char* out) {
  std::memset(out, '0', static_cast<size_t>(count));
  return out + count;
}

// Lays out `digits` with the decimal point before digit number `point` (0.d1d2... * 10^point).
char* LayOut(std::string_view digits, int point, char* out) {
  const int count = static_cast<int>(digits.size());
  if (count <= point && point <= kMaxPlainDigits) {
    return PutText(".0", PutZeros(point - count, PutText(digits, out)));
  }
  if (0 < point && point <= kMaxPlainDigits) {
    const size_t whole = static_cast<size_t>(point);
    return PutText(digits.substr(whole), PutText(".", PutText(digits.substr(0, whole), out)));
  }
  if (kMinPlainExponent < point && point <= 0) {
    return PutText(digits, PutZeros(-point, PutText("0.", out)));
  }
  out = PutText(digits.substr(0, 1), out);
  if (count > 1) out = PutText(digits.substr(1), PutText(".", out));
  *out++ = 'e';
  return std::to_chars(out, out + 5, point - 1).ptr;
}

}  // namespace

char* WriteJsonInteger(int64_t value, char* out) {
  return std::to_chars(out, out + kMaxJsonInteger, value).ptr;
}

char* WriteJsonInteger(uint64_t value, char* out) {
  return std::to_chars(out, out + kMaxJsonInteger, value).ptr;
}

char* WriteJsonDouble(double value, char* out) {
  if (std::isnan(value)) return PutText("NaN", out);
  if (std::signbit(value)) {
    *out++ = '-';
    value = -value;
  }
  if (std::isinf(value)) return PutText("Infinity", out);
  if (value < kExactIntegers) {
    // Many tensors hold whole numbers; these need no search for the shortest form.
    const auto whole = static_cast<uint64_t>(value);
    if (static_cast<double>(whole) == value) return PutText(".0", WriteJsonInteger(whole, out));
  }
  // "d.ddde-05": the shortest digits that read back as the same double.
  char text[kMaxJsonDouble];
  const char* const end =
      std::to_chars(text, text + sizeof(text), value, std::chars_format::scientific).ptr;
  const char* const exponent_mark = static_cast<const char*>(std::memchr(text, 'e', sizeof(text)));
  int exponent = 0;
  const char* const exponent_text = exponent_mark + (exponent_mark[1] == '+' ? 2 : 1);
  std::from_chars(exponent_text, end, exponent);
  char digits[kMaxDigits + 1];
  size_t count = 0;
  for (const char* c = text; c != exponent_mark; ++c) {
    if (*c != '.') digits[count++] = *c;
  }
  return LayOut({digits, count}, exponent + 1, out);
}

JsonWriter::JsonWriter(BlockPool* pool, size_t expected) : pool_(pool) { Reserve(expected); }

char* JsonWriter::Grow(size_t count) {
  if (has_failed_) return nullptr;
  const size_t capacity = std::max(size_ + count, capacity_ * 2 + kMinGrowth);
  BlockRef next = pool_ != nullptr ? pool_->Allocate(capacity) : NewBlock(capacity);
  if (!next) {
    has_failed_ = true;
    capacity_ = size_;  // every later Reserve comes here again
    return nullptr;
  }
  if (size_ > 0) std::memcpy(next->data(), data_, size_);
  block_ = std::move(next);
  data_ = block_->data();
  capacity_ = block_->capacity();
  return data_ + size_;
}

char* JsonWriter::WriteEscape(uint8_t byte, char* out) {
  constexpr std::string_view kBytes = "\"\\\b\f\n\r\t";
  constexpr std::string_view kNames = "\"\\bfnrt";
  *out++ = '\\';
  const size_t which = kBytes.find(static_cast<char>(byte));
  if (which != std::string_view::npos) {
    *out++ = kNames[which];
    return out;
  }
  constexpr std::string_view kHex = "0123456789ABCDEF";
  out = PutText("u00", out);
  *out++ = kHex[byte >> 4];
  *out++ = kHex[byte & 15];
  return out;
}

JsonWriter& JsonWriter::String(std::string_view text) {
  Raw("\"");
  while (!text.empty()) {
    const auto stop = std::find_if(text.begin(), text.end(),
                                   [](char c) { return NeedsEscape(static_cast<uint8_t>(c)); });
    const size_t plain = static_cast<size_t>(stop - text.begin());
    Raw(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) break;
    if (char* out = Reserve(kEscapeRoom); out != nullptr) {
      Commit(WriteEscape(static_cast<uint8_t>(text.front()), out));
    }
    text.remove_prefix(1);
  }
  return Raw("\"");
}

JsonWriter& JsonWriter::Integer(int64_t value) {
  if (char* out = Reserve(kMaxJsonInteger); out != nullptr) Commit(WriteJsonInteger(value, out));
  return *this;
}

JsonWriter& JsonWriter::Integer(uint64_t value) {
  if (char* out = Reserve(kMaxJsonInteger); out != nullptr) Commit(WriteJsonInteger(value, out));
  return *this;
}

JsonWriter& JsonWriter::Double(double value) {
  if (char* out = Reserve(kMaxJsonDouble); out != nullptr) Commit(WriteJsonDouble(value, out));
  return *this;
}

Slice JsonWriter::Take() && { return {std::move(block_), data_, size_}; }

std::string JsonError(std::string_view text) {
  JsonWriter writer(nullptr, text.size() + 16);
  writer.Raw("{\"error\":").String(text).Raw("}");
  return std::string(writer.view());
}

}  // namespace pt::wire
