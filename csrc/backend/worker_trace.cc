#include "backend/worker_trace.h"

#include <array>
#include <charconv>
#include <cstdint>
#include <string_view>

#include "base/log_format.h"

namespace pt::backend {
namespace {

constexpr std::string_view kName = "triton_trace_context";

// 16 digits.
void AppendHex(uint64_t value, std::string* text) {
  constexpr size_t kDigits = 16;
  std::array<char, kDigits> digits{};
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + kDigits, value, 16);
  const auto count = static_cast<size_t>(end - digits.data());
  text->append(kDigits - count, '0').append(digits.data(), count);
}

uint64_t BigEndian(const uint8_t* bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < sizeof(value); ++i) value = value << 8 | bytes[i];
  return value;
}

}  // namespace

Parameters TraceParameter(const InferRequest& request) {
  if (!request.trace || request.trace->subject.compute_span == 0) return {};
  const TraceSubject& subject = request.trace->subject;
  std::string text = "{\"traceparent\":\"00-";
  AppendHex(BigEndian(subject.parent.trace_id.data()), &text);
  AppendHex(BigEndian(subject.parent.trace_id.data() + sizeof(uint64_t)), &text);
  text += '-';
  AppendHex(subject.compute_span, &text);
  text += "-01\"";
  if (!subject.parent.state.empty()) {
    text += ",\"tracestate\":\"";
    AppendJsonEscaped(subject.parent.state, &text);
    text += '"';
  }
  return {{std::string(kName), text + "}"}};
}

}  // namespace pt::backend
