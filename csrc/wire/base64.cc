#include "wire/base64.h"

#include <array>
#include <cstdint>

namespace pt::wire {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<int8_t, 256> MakeValues() {
  std::array<int8_t, 256> values{};
  values.fill(-1);
  for (size_t i = 0; i < kAlphabet.size(); ++i) {
    values[static_cast<unsigned char>(kAlphabet[i])] = static_cast<int8_t>(i);
  }
  return values;
}

constexpr std::array<int8_t, 256> kValues = MakeValues();

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

Status InvalidAt(size_t offset) {
  return InvalidArgument("expected base64, got an invalid character at offset " +
                         std::to_string(offset));
}

Status CheckEnd(size_t digits, size_t padding) {
  if (digits % 4 == 1) {
    return InvalidArgument("expected base64 of whole bytes, got " + std::to_string(digits) +
                           " digits");
  }
  const size_t whole = (4 - digits % 4) % 4;
  if (padding == 0 || padding == whole) return {};
  return InvalidArgument("expected base64 with " + std::to_string(whole) + " '=' at its end, got " +
                         std::to_string(padding));
}

}  // namespace

Result<std::string> DecodeBase64(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3 + 2);
  uint32_t bits = 0;
  uint32_t count = 0;
  size_t digits = 0;
  size_t padding = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (IsBlank(text[i])) continue;
    if (text[i] == '=') {
      ++padding;
      continue;
    }
    const int8_t value = kValues[static_cast<unsigned char>(text[i])];
    if (value < 0 || padding > 0) return InvalidAt(i);
    ++digits;
    bits = (bits << 6U) | static_cast<uint32_t>(value);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes.push_back(static_cast<char>(static_cast<unsigned char>(bits >> count)));
    bits &= (1U << count) - 1;
  }
  PT_RETURN_IF_ERROR(CheckEnd(digits, padding));
  if (bits != 0) return InvalidArgument("expected base64, got bits after its end");
  return bytes;
}

}  // namespace pt::wire
