#include "api/trace_handoff.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <variant>

#include "api/trace_context.h"
#include "wire/json_reader.h"

namespace pt::api {
namespace {

constexpr int kMaxHandoffDepth = 2;
constexpr uint32_t kTimestamps = 1;
constexpr uint32_t kTensors = 2;

// Takes a number and the blank behind it, or the end.
template <typename Number>
bool TakeNumber(std::string_view* text, Number* number) {
  const char* const end = text->data() + text->size();
  const auto [stop, error] = std::from_chars(text->data(), end, *number);
  if (error != std::errc() || (stop != end && *stop != ' ')) return false;
  text->remove_prefix(static_cast<size_t>(stop - text->data()) + (stop == end ? 0 : 1));
  return true;
}

std::string_view TextOf(wire::JsonValue root, std::string_view key) {
  const wire::JsonValue value = root.Find(key);
  if (!value) return {};
  const Result<std::string_view> text = value.AsString();
  return text.ok() ? *text : std::string_view();
}

TraceContext ContextOf(std::string_view json) {
  wire::JsonDocument document(kMaxHandoffDepth);
  if (!document.Parse(json).ok() || !document.root().is_object()) return {};
  return ParseTraceContext(TextOf(document.root(), kTraceParent),
                           TextOf(document.root(), kTraceState));
}

}  // namespace

std::optional<TraceHandoff> ReadTraceHandoff(std::string_view text) {
  TraceHandoff handoff;
  uint32_t levels = 0;
  if (!TakeNumber(&text, &handoff.id) || !TakeNumber(&text, &levels) ||
      !TakeNumber(&text, &handoff.log_frequency) || handoff.id == 0) {
    return std::nullopt;
  }
  handoff.has_timestamps = (levels & kTimestamps) != 0;
  handoff.has_tensors = (levels & kTensors) != 0;
  if (!text.empty()) handoff.context = ContextOf(text);
  return handoff;
}

std::optional<TraceHandoff> TakeTraceHandoff(Parameters* parameters) {
  const auto at = std::find_if(parameters->begin(), parameters->end(), [](const auto& parameter) {
    return parameter.first == kTraceParameter;
  });
  if (at == parameters->end()) return std::nullopt;
  const auto* const text = std::get_if<std::string>(&at->second);
  const auto handoff = text == nullptr ? std::nullopt : ReadTraceHandoff(*text);
  parameters->erase(at);
  return handoff;
}

}  // namespace pt::api
