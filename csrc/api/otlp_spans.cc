#include "api/otlp_spans.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <string_view>

#include "api/trace_context.h"
#include "api/trace_names.h"

namespace pt::api {
namespace {

// opentelemetry-proto, trace.proto: SpanKind and Status.StatusCode.
constexpr int kInternal = 1;
constexpr int kServer = 2;
constexpr int kError = 2;
constexpr std::string_view kDefaultService = "triton-inference-server";

// A span's events: those that Triton puts there.
enum class Part : uint8_t { kRoot, kModel, kCompute };

Part UsualPart(TraceEvent event) {
  switch (event) {
    case TraceEvent::kRequestStart:
    case TraceEvent::kQueueStart:
    case TraceEvent::kRequestEnd:
      return Part::kModel;
    case TraceEvent::kComputeStart:
    case TraceEvent::kComputeInputEnd:
    case TraceEvent::kComputeOutputStart:
    case TraceEvent::kComputeEnd:
      return Part::kCompute;
    default:
      return Part::kRoot;
  }
}

// From the monotonic clock to the one of the world.
class WorldTime {
 public:
  WorldTime()
      : offset_(std::chrono::system_clock::now().time_since_epoch() -
                std::chrono::steady_clock::now().time_since_epoch()) {}
  std::string At(TimePoint at) const {
    return "\"" + std::to_string((at.time_since_epoch() + offset_).count()) + "\"";
  }

 private:
  const std::chrono::nanoseconds offset_;
};

std::string TextAttribute(std::string_view key, std::string_view value) {
  return "{\"key\":" + JsonText(key) + ",\"value\":{\"stringValue\":" + JsonText(value) + "}}";
}

// 64-bit integers are texts in protobuf's JSON.
std::string NumberAttribute(std::string_view key, uint64_t value) {
  return "{\"key\":" + JsonText(key) + ",\"value\":{\"intValue\":\"" + std::to_string(value) +
         "\"}}";
}

std::string ModelAttributes(const TraceSubject& subject) {
  std::string text = TextAttribute("triton.model_name", subject.model_name);
  text +=
      "," + NumberAttribute("triton.model_version", static_cast<uint64_t>(subject.model_version));
  text += "," + NumberAttribute("triton.trace_id", subject.id);
  text += "," + NumberAttribute("triton.trace_parent_id", subject.parent_id);
  if (!subject.request_id.empty()) {
    text += "," + TextAttribute("triton.request_id", subject.request_id);
  }
  return text;
}

// Writes the spans of one trace.
class TraceWriter {
 public:
  TraceWriter(Trace* trace, const WorldTime& time)
      : trace_(trace), stamps_(trace->TakeStamps()), time_(time) {}

  std::string Run() {
    const TraceSubject& subject = trace_->subject;
    std::string text;
    if (!IsChild()) {
      text = Open("InferRequest", kServer, subject.root_span, subject.parent.span_id);
      text += Outcome() + Close(Part::kRoot) + ",";
    }
    text += Open(subject.model_name, kInternal, subject.model_span, subject.root_span);
    if (IsChild()) text += Outcome();
    text += ",\"attributes\":[" + ModelAttributes(subject) + "]" + Close(Part::kModel);
    if (Has(Part::kCompute)) {
      text += "," + Open("compute", kInternal, subject.compute_span, subject.model_span) +
              Close(Part::kCompute);
    }
    return text;
  }

 private:
  // A model made the request: its spans are within one of that model's.
  bool IsChild() const { return trace_->subject.parent_id != 0; }

  Part PartOf(TraceEvent event) const {
    const Part part = UsualPart(event);
    return part == Part::kRoot && IsChild() ? Part::kModel : part;
  }

  std::string Outcome() const {
    const std::string failure = trace_->failure();
    if (failure.empty()) return {};
    return ",\"status\":{\"code\":" + std::to_string(kError) + ",\"message\":" + JsonText(failure) +
           "}";
  }

  std::string Open(std::string_view name, int kind, uint64_t id, uint64_t parent) const {
    const TraceContext& context = trace_->subject.parent;
    std::string text =
        "{\"traceId\":\"" + HexOf(context.trace_id) + "\",\"spanId\":\"" + HexOf(id) + "\"";
    if (parent != 0) text += ",\"parentSpanId\":\"" + HexOf(parent) + "\"";
    if (!context.state.empty()) text += ",\"traceState\":" + JsonText(context.state);
    return text + ",\"name\":" + JsonText(name) + ",\"kind\":" + std::to_string(kind);
  }

  // Its time is that of its events.
  std::string Close(Part part) const {
    std::string events;
    TimePoint start = TimePoint::max();
    TimePoint end = TimePoint::min();
    for (const Trace::Stamp& stamp : stamps_) {
      if (PartOf(stamp.event) != part) continue;
      start = std::min(start, stamp.at);
      end = std::max(end, stamp.at);
      events += events.empty() ? "" : ",";
      events += "{\"timeUnixNano\":" + time_.At(stamp.at) + ",\"name\":\"" +
                std::string(EventName(stamp.event, trace_->subject.front)) + "\"}";
    }
    return ",\"startTimeUnixNano\":" + time_.At(start) + ",\"endTimeUnixNano\":" + time_.At(end) +
           ",\"events\":[" + events + "]}";
  }

  bool Has(Part part) const {
    return std::any_of(stamps_.begin(), stamps_.end(), [this, part](const Trace::Stamp& stamp) {
      return PartOf(stamp.event) == part;
    });
  }

  Trace* const trace_;
  const std::vector<Trace::Stamp> stamps_;
  const WorldTime& time_;
};

std::string ResourceAttributes(const std::vector<std::string>& resource,
                               const std::string& version) {
  std::map<std::string, std::string> pairs{{"service.name", std::string(kDefaultService)},
                                           {"telemetry.sdk.language", "cpp"},
                                           {"telemetry.sdk.name", "pytriton"},
                                           {"telemetry.sdk.version", version}};
  for (const std::string& pair : resource) {
    const size_t equals = std::min(pair.find('='), pair.size());
    pairs[pair.substr(0, equals)] = equals < pair.size() ? pair.substr(equals + 1) : "";
  }
  std::string text;
  for (const auto& [key, value] : pairs) {
    text += text.empty() ? "" : ",";
    text += TextAttribute(key, value);
  }
  return text;
}

}  // namespace

std::string SpansToJson(const std::vector<std::unique_ptr<Trace>>& traces,
                        const std::vector<std::string>& resource, const std::string& version) {
  const WorldTime time;
  std::string spans;
  for (const auto& trace : traces) {
    spans += spans.empty() ? "" : ",";
    spans += TraceWriter(trace.get(), time).Run();
  }
  return "{\"resourceSpans\":[{\"resource\":{\"attributes\":[" +
         ResourceAttributes(resource, version) +
         "]},\"scopeSpans\":[{\"scope\":{\"name\":\"triton-server\"},\"spans\":[" + spans +
         "]}]}]}";
}

}  // namespace pt::api
