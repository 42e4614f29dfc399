// Tracer: begins the traces of sampled requests.
//
// Thread rule: thread-safe; is_on is one relaxed load, all that a server that does not trace pays.
// Owner rule: the server owns it, through every Start and Stop; it outlives every request.
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <string_view>

#include "api/header_forward.h"
#include "api/trace_drain.h"
#include "api/trace_handoff.h"
#include "api/trace_settings.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mutex.h"
#include "infer/request.h"
#include "infer/trace.h"

namespace pt::api {

// Where a request came from.
struct TraceOrigin {
  TraceFront front = TraceFront::kHttp;
  TimePoint receive_start;
  TimePoint receive_end;
  std::string_view parent;  // `traceparent` and `tracestate` as they came
  std::string_view state;
  const HeaderForwarder* forwarder = nullptr;  // null: no headers become parameters
};

class Tracer {
 public:
  // `sink` null: traces are dropped (nothing was named to write to).
  Tracer(TraceOptions options, std::unique_ptr<TraceSink> sink, Logger* logger);
  Tracer(const Tracer&) = delete;
  Tracer& operator=(const Tracer&) = delete;

  bool is_on() const { return settings_.is_on(); }
  const TraceOptions& options() const { return options_; }
  TraceSettings& settings() { return settings_; }

  // Traces the request if it is to be. REQUIRES: it is valid and has its responder, which is
  // wrapped; it is not yet submitted.
  void Begin(const TraceOrigin& origin, InferRequest* request) EXCLUDES(mu_);
  // Traces a request that a model makes within a traced one. REQUIRES: as Begin.
  void BeginChild(const TraceHandoff& parent, InferRequest* request) EXCLUDES(mu_);
  // Waits until all that ended before is written.
  bool Flush(TimePoint deadline) { return drain_ == nullptr || drain_->Flush(deadline); }

 private:
  bool makes_spans() const { return options_.mode == TraceMode::kOpenTelemetry; }
  void FillSpans(const TraceContext& parent, TraceSubject* subject) EXCLUDES(mu_);
  // `origin` null: it came from a model.
  void Open(TraceSubject subject, const TraceOrigin* origin, InferRequest* request) EXCLUDES(mu_);

  const TraceOptions options_;
  TraceSettings settings_;
  Mutex mu_;
  uint64_t next_id_ GUARDED_BY(mu_) = 1;
  std::mt19937_64 random_ GUARDED_BY(mu_);
  std::unique_ptr<TraceDrain> drain_;  // null: none
};

}  // namespace pt::api
