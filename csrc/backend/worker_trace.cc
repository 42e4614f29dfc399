#include "backend/worker_trace.h"

#include <array>
#include <charconv>
#include <cstdint>
#include <string_view>

#include "base/log_format.h"

namespace pt::backend {
namespace {

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

std::string ContextOf(const TraceSubject& subject) {
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
  return text + "}";
}

}  // namespace

Parameters TraceParameter(const InferRequest& request) {
  if (!request.trace) return {};
  const TraceSubject& subject = request.trace->subject;
  const int levels = (subject.has_timestamps ? 1 : 0) + (subject.has_tensors ? 2 : 0);
  std::string text = std::to_string(subject.id) + " " + std::to_string(levels) + " " +
                     std::to_string(subject.log_frequency);
  if (subject.compute_span != 0) text += " " + ContextOf(subject);
  return {{std::string(kTraceParameter), text}};
}

}  // namespace pt::backend
