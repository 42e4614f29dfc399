#include "api/tracer.h"

#include <algorithm>
#include <utility>

#include "api/trace_context.h"
#include "api/tracing_responder.h"

namespace pt::api {
namespace {

constexpr size_t kSpansATrace = 3;

DrainOptions OptionsOf(const TraceOptions& options) {
  DrainOptions drain;
  if (options.mode != TraceMode::kOpenTelemetry) return drain;
  drain.max_waiting = std::max<size_t>(1, options.max_queue_spans / kSpansATrace);
  drain.delay = std::chrono::milliseconds(options.schedule_delay_ms);
  drain.hurry_at = std::max<size_t>(1, options.max_batch_spans / kSpansATrace);
  drain.hurry_at = std::min(drain.hurry_at, drain.max_waiting);
  return drain;
}

uint64_t Seed() {
  std::random_device device;
  return uint64_t{device()} << 32 | device();
}

TraceSubject SubjectOf(const InferRequest& request) {
  TraceSubject subject;
  subject.model_name = request.model().name();
  subject.model_version = request.model().version();
  subject.request_id = request.id;
  return subject;
}

// A model that is given the headers of the trace goes on from our span, not from the client's.
void PassContext(const HeaderForwarder& forwarder, const TraceSubject& subject,
                 InferRequest* request) {
  if (!forwarder.is_active()) return;
  const std::string parent = WriteTraceParent(subject.parent, subject.compute_span);
  HttpRequestHead head;
  head.headers.push_back({kTraceParent, parent});
  Result<Parameters> passed = forwarder.Forward(head);
  if (!passed.ok() || passed->empty()) return;
  // Over HTTP/1.1 the name came in any letter case.
  std::erase_if(request->parameters, [](const auto& parameter) {
    HttpRequestHead one;
    one.headers.push_back({parameter.first, {}});
    return one.Has(kTraceParent);
  });
  SetParameter(std::string(kTraceParent), parent, &request->parameters);
}

}  // namespace

Tracer::Tracer(TraceOptions options, std::unique_ptr<TraceSink> sink, Logger* logger)
    : options_(std::move(options)), settings_(options_), random_(Seed()) {
  if (sink != nullptr) {
    drain_ = std::make_unique<TraceDrain>(std::move(sink), OptionsOf(options_), logger);
  }
}

void Tracer::FillSpans(const TraceContext& parent, TraceSubject* subject) {
  subject->parent = parent;
  MutexLock lock(&mu_);
  // 0 is no id.
  const auto id = [this]() REQUIRES(mu_) { return std::max<uint64_t>(1, random_()); };
  if (parent.span_id == 0) {
    for (auto& byte : subject->parent.trace_id) byte = static_cast<uint8_t>(random_());
    subject->parent.trace_id.back() |= 1;
  }
  subject->root_span = id();
  subject->model_span = id();
  subject->compute_span = id();
}

void Tracer::Begin(const TraceOrigin& origin, InferRequest* request) {
  if (drain_ == nullptr) return;
  TraceContext parent;
  if (makes_spans()) parent = ParseTraceContext(origin.parent, origin.state);
  const auto sample = settings_.Take(request->model().name(), parent.is_sampled);
  if (!sample) return;
  TraceSubject subject = SubjectOf(*request);
  subject.front = origin.front;
  subject.has_timestamps = sample->level.timestamps || makes_spans();
  subject.has_tensors = sample->level.tensors && !makes_spans();
  subject.log_frequency = sample->log_frequency;
  subject.series = sample->series;
  if (makes_spans()) {
    FillSpans(parent, &subject);
    if (origin.forwarder != nullptr) PassContext(*origin.forwarder, subject, request);
  }
  Open(std::move(subject), &origin, request);
}

void Tracer::BeginChild(const TraceHandoff& parent, InferRequest* request) {
  const bool is_traced = !makes_spans() || parent.context.span_id != 0;
  if (drain_ == nullptr || !is_on() || !is_traced) return;
  TraceSubject subject = SubjectOf(*request);
  subject.parent_id = parent.id;
  subject.has_timestamps = parent.has_timestamps || makes_spans();
  subject.has_tensors = parent.has_tensors && !makes_spans();
  subject.log_frequency = parent.log_frequency;
  if (makes_spans()) {
    FillSpans(parent.context, &subject);
    subject.root_span = parent.context.span_id;
  }
  Open(std::move(subject), nullptr, request);
}

void Tracer::Open(TraceSubject subject, const TraceOrigin* origin, InferRequest* request) {
  {
    MutexLock lock(&mu_);
    subject.id = next_id_++;
  }
  auto trace = MakeRef<Trace>(std::move(subject), drain_.get());
  if (origin != nullptr) {
    trace->Mark(TraceEvent::kReceiveStart, origin->receive_start);
    trace->Mark(TraceEvent::kReceiveEnd, origin->receive_end);
  }
  const TimePoint now = std::chrono::steady_clock::now();
  trace->Mark(TraceEvent::kRequestStart, now);
  trace->Mark(TraceEvent::kQueueStart, now);
  if (trace->subject.has_tensors) trace->AddInputs(TraceActivity::kQueueInput, *request);
  TraceAnswers(trace, request);
  request->trace = std::move(trace);
}

}  // namespace pt::api
