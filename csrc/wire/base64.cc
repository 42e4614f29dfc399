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

size_t PaddingOf(std::string_view text) {
  if (text.empty() || text.back() != '=') return 0;
  return text[text.size() - 2] == '=' ? 2 : 1;
}

}  // namespace

Result<std::string> DecodeBase64(std::string_view text) {
  if (text.size() % 4 != 0) {
    return InvalidArgument("expected base64 of a length divisible by 4, got " +
                           std::to_string(text.size()));
  }
  const size_t padding = PaddingOf(text);
  const size_t digits = text.size() - padding;
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  uint32_t bits = 0;
  int count = 0;
  for (size_t i = 0; i < digits; ++i) {
    const int8_t value = kValues[static_cast<unsigned char>(text[i])];
    if (value < 0) {
      return InvalidArgument("expected base64, got an invalid character at offset " +
                             std::to_string(i));
    }
    bits = (bits << 6U) | static_cast<uint32_t>(value);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes.push_back(
        static_cast<char>(static_cast<unsigned char>(bits >> static_cast<uint32_t>(count))));
    bits &= (1U << static_cast<uint32_t>(count)) - 1;
  }
  if (bits != 0) return InvalidArgument("expected base64, got bits after its end");
  return bytes;
}

}  // namespace pt::wire
