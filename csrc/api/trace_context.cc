#include "api/trace_context.h"

#include <algorithm>
#include <optional>

namespace pt::api {
namespace {

// Section 3.2: version, trace id, parent id and flags, in hexadecimal digits.
constexpr size_t kTraceIdAt = 3;
constexpr size_t kSpanIdAt = 36;
constexpr size_t kFlagsAt = 53;
constexpr size_t kSize = 55;
// Section 3.3.1.5: what everybody passes on at least.
constexpr size_t kMaxState = 512;

// Lower case only (section 3.2.2).
std::optional<uint8_t> Digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<uint8_t>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<uint8_t>(c - 'a' + 10);
  return std::nullopt;
}

std::optional<uint8_t> Byte(std::string_view text, size_t at) {
  const auto high = Digit(text[at]);
  const auto low = Digit(text[at + 1]);
  if (!high || !low) return std::nullopt;
  return static_cast<uint8_t>(*high << 4 | *low);
}

bool IsForm(std::string_view text) {
  if (text.size() < kSize || text[2] != '-' || text[kSpanIdAt - 1] != '-' ||
      text[kFlagsAt - 1] != '-') {
    return false;
  }
  const auto version = Byte(text, 0);
  if (!version || *version == 0xff) return false;
  if (text.size() == kSize) return true;
  return *version > 0 && text[kSize] == '-';  // a later version may say more
}

bool IsPrintable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

void AppendHex(uint8_t byte, std::string* text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  text->push_back(kDigits[byte >> 4]);
  text->push_back(kDigits[byte & 15]);
}

}  // namespace

TraceContext ParseTraceContext(std::string_view parent, std::string_view state) {
  TraceContext context;
  if (!IsForm(parent)) return {};
  bool has_trace = false;
  for (size_t i = 0; i < context.trace_id.size(); ++i) {
    const auto byte = Byte(parent, kTraceIdAt + 2 * i);
    if (!byte) return {};
    context.trace_id[i] = *byte;
    has_trace |= *byte != 0;
  }
  for (size_t i = 0; i < sizeof(context.span_id); ++i) {
    const auto byte = Byte(parent, kSpanIdAt + 2 * i);
    if (!byte) return {};
    context.span_id = context.span_id << 8 | *byte;
  }
  const auto flags = Byte(parent, kFlagsAt);
  if (!has_trace || context.span_id == 0 || !flags) return {};
  context.is_sampled = (*flags & 1) != 0;
  if (state.size() <= kMaxState && IsPrintable(state)) context.state = state;
  return context;
}

std::string WriteTraceParent(const TraceContext& context, uint64_t span_id) {
  return "00-" + HexOf(context.trace_id) + "-" + HexOf(span_id) + "-01";
}

std::string HexOf(const std::array<uint8_t, 16>& trace_id) {
  std::string text;
  for (const uint8_t byte : trace_id) AppendHex(byte, &text);
  return text;
}

std::string HexOf(uint64_t span_id) {
  std::string text;
  for (int shift = 56; shift >= 0; shift -= 8) {
    AppendHex(static_cast<uint8_t>(span_id >> shift), &text);
  }
  return text;
}

}  // namespace pt::api
