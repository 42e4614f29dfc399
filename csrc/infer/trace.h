// Trace: what one sampled request went through: when, and with which tensors.
//
// Whoever has the request adds to it: the edge, the executor, the thread that answers. The last
// reference that goes hands the trace to its collector, which reads it alone.
// Thread rule: Mark and AddTensor from any thread; the rest once nobody adds any more. Owner rule:
// counted; the request and its responder hold it. The collector outlives every trace.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/ref_counted.h"
#include "tensor/tensor.h"

namespace pt {

class InferRequest;
struct InferResponse;

enum class TraceEvent : uint8_t {
  kReceiveStart,
  kReceiveEnd,
  kRequestStart,
  kQueueStart,
  kComputeStart,
  kComputeInputEnd,
  kComputeOutputStart,
  kComputeEnd,
  kResponseComplete,
  kRequestEnd,
  kSendStart,
  kSendEnd,
};

enum class TraceActivity : uint8_t { kQueueInput, kBackendInput, kBackendOutput };

// The protocol that a request came by.
enum class TraceFront : uint8_t { kHttp, kGrpc };

// A place in a distributed trace (W3C trace context).
struct TraceContext {
  std::array<uint8_t, 16> trace_id{};
  uint64_t span_id = 0;  // 0: none
  bool is_sampled = false;
  std::string state;  // `tracestate`, passed on as it came
};

// The parameter by which a model in a worker is told of its request's trace, and by which it names
// that trace in the requests it makes (backend/worker_trace.h). Clients can't send it.
inline constexpr std::string_view kTraceParameter = "triton_trace_context";

// Traces whose number is limited: tells when the last of them was collected.
struct TraceSeries {
  std::atomic<int64_t> open{0};  // begun and not yet written
  std::atomic<bool> is_full{false};
};

// What is known when a trace begins; constant afterwards.
struct TraceSubject {
  uint64_t id = 0;         // counts up from 1
  uint64_t parent_id = 0;  // the trace of the model that made the request; 0: a client made it
  std::string model_name;
  int64_t model_version = 0;
  std::string request_id;
  TraceFront front = TraceFront::kHttp;
  bool has_timestamps = true;
  bool has_tensors = false;
  uint32_t log_frequency = 0;  // traces a file; 0: all in one
  std::shared_ptr<TraceSeries> series;
  TraceContext parent;     // span_id 0: a trace of its own, with this trace_id
  uint64_t root_span = 0;  // our spans, parent before child; 0: none are made. With a parent_id the
                           // first one is the span that the request was made in
  uint64_t model_span = 0;
  uint64_t compute_span = 0;
};

class Trace;

// Thread rule: thread-safe, and never blocks for long.
class TraceCollector {
 public:
  virtual ~TraceCollector() = default;
  virtual void Collect(std::unique_ptr<Trace> trace) = 0;
};

class Trace final : public RefCounted {
 public:
  struct Stamp {
    TraceEvent event;
    TimePoint at;
  };
  struct Tensor {
    TraceActivity activity;
    std::string name;
    TensorView tensor;  // without bytes when they can't be read here
  };

  Trace(TraceSubject about, TraceCollector* collector)
      : subject(std::move(about)), collector_(collector) {}
  ~Trace() override = default;

  const TraceSubject subject;

  void Mark(TraceEvent event, TimePoint at) EXCLUDES(mu_);
  // Keeps the tensor's bytes as they are now: those that a client could change are copied.
  void AddTensor(TraceActivity activity, std::string_view name, const TensorView& tensor)
      EXCLUDES(mu_);
  void AddInputs(TraceActivity activity, const InferRequest& request) EXCLUDES(mu_);

  // Its request failed; the last message stays.
  void Fail(const std::string& message) EXCLUDES(mu_);

  // Why it failed; empty: it did not.
  std::string failure() const EXCLUDES(mu_);
  // In order of time. What answers after its execution (streams, coroutines) has computed until
  // its last response: that is filled in here.
  std::vector<Stamp> TakeStamps() EXCLUDES(mu_);
  std::vector<Tensor> TakeTensors() EXCLUDES(mu_);
  // Of the tensors that are kept.
  size_t tensor_bytes() const EXCLUDES(mu_);

 private:
  void Dispose() override { collector_->Collect(std::unique_ptr<Trace>(this)); }

  TraceCollector* const collector_;
  mutable Mutex mu_;
  std::vector<Stamp> stamps_ GUARDED_BY(mu_);
  std::vector<Tensor> tensors_ GUARDED_BY(mu_);
  std::string failure_ GUARDED_BY(mu_);
  size_t tensor_bytes_ GUARDED_BY(mu_) = 0;
};

}  // namespace pt
