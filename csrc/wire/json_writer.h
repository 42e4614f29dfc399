// JsonWriter: writes JSON text into a growing block: no white space, strings and numbers as Triton
// writes them (spec/triton-frontend 1.4). The caller places brackets, commas and colons with Raw;
// long runs of numbers reserve once and write through the pointer.
//
// Thread rule: belongs to its thread. Owner rule: owns its block until Take.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/block.h"

namespace pt::wire {

// Most characters one number takes.
inline constexpr size_t kMaxJsonInteger = 20;
inline constexpr size_t kMaxJsonDouble = 32;

// Write at `out`, which has room for the constants above, and return the end.
char* WriteJsonInteger(int64_t value, char* out);
char* WriteJsonInteger(uint64_t value, char* out);
// Always with ".0" or an exponent without plus; plain up to 21 digits; NaN, Infinity, -Infinity.
char* WriteJsonDouble(double value, char* out);

class JsonWriter {
 public:
  // `pool` null: from the heap. `expected`: bytes to start with; it grows.
  explicit JsonWriter(BlockPool* pool, size_t expected = 512);

  // Room for `count` more bytes; where they go. Commit says how far they went. Null without memory:
  // then nothing is written any more and ok() is false.
  char* Reserve(size_t count) {
    if (capacity_ - size_ >= count) return data_ + size_;
    return Grow(count);
  }
  void Commit(const char* end) { size_ = static_cast<size_t>(end - data_); }

  JsonWriter& Raw(std::string_view text) {
    if (char* out = Reserve(text.size()); out != nullptr) {
      std::memcpy(out, text.data(), text.size());
      size_ += text.size();
    }
    return *this;
  }
  // A quoted string: `"`, `\` and control characters escaped, all other bytes as they are.
  JsonWriter& String(std::string_view text);
  // "KEY": with the quotes and the colon. REQUIRES: nothing in it needs escaping.
  JsonWriter& Key(std::string_view key) { return Raw("\"").Raw(key).Raw("\":"); }
  JsonWriter& Integer(int64_t value);
  JsonWriter& Integer(uint64_t value);
  JsonWriter& Double(double value);
  JsonWriter& Bool(bool value) { return Raw(value ? "true" : "false"); }

  bool ok() const { return !has_failed_; }
  size_t size() const { return size_; }
  std::string_view view() const { return {data_, size_}; }
  // What was written, with its block.
  Slice Take() &&;

 private:
  char* Grow(size_t count);
  char* WriteEscape(uint8_t byte, char* out);

  BlockPool* const pool_;
  BlockRef block_;
  char* data_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
  bool has_failed_ = false;
};

// {"error":"TEXT"}
std::string JsonError(std::string_view text);

}  // namespace pt::wire
