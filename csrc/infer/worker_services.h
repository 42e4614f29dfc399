// WorkerServices: what a model that runs in a worker process may ask of its server: inference by
// other models, loading and unloading them, custom metrics. The worker backend carries the
// messages, api/ answers them; here they meet.
//
// Thread rule: thread-safe; nothing here blocks. Owner rule: owned by server/, outlives backends.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "infer/parameter.h"
#include "infer/request.h"
#include "infer/response.h"
#include "tensor/tensor.h"

namespace pt {

struct NamedTensor {
  std::string name;
  TensorView tensor;
};

// One inference that a model asks of another one.
struct InnerRequest {
  std::string caller;      // instance name of the asking model, for messages
  std::string model_name;  // of the asked one
  std::string version;     // empty: by its version policy
  std::string id;
  CorrelationId correlation_id;
  uint32_t sequence_flags = 0;
  uint64_t timeout_us = 0;
  Parameters parameters;
  std::vector<NamedTensor> inputs;
  std::vector<std::string> requested_outputs;  // empty: all
  bool takes_many = false;                     // any number of responses (decoupled=True)
};

struct InnerResponse {
  Status status;  // not OK: outputs are empty; the text is what the model reads
  std::vector<NamedTensor> outputs;
  Parameters parameters;
};

// Takes the responses, one call at a time, on any thread, also inside Infer; the last one says
// kFinal. With kFinal a response that is OK and has no outputs may stand for "no more". Must not
// block.
using InnerSink = std::function<void(InnerResponse&& response, Finality finality)>;

// Takes the answer of a call, on any thread, also inside Call. JSON, or why it failed.
using CallReply = std::function<void(Result<std::string> json)>;

// One change of a custom metric, collected by a worker since its last one.
struct MetricUpdate {
  uint64_t series = 0;  // as the answer of the "metric" call named it
  bool is_set = false;  // `value` replaces (gauges), else it is added
  double value = 0;
  std::vector<uint64_t> bucket_counts;  // histograms: observations by bucket, the last is +Inf's
  double sum = 0;                       // histograms
};

// Files that go with a call (load_model): name, bytes.
using CallFiles = std::vector<std::pair<std::string, std::string>>;

class WorkerServices {
 public:
  virtual ~WorkerServices() = default;

  // A worker process began: what it makes (metrics) is counted for the id that comes back.
  virtual uint64_t OpenWorker(const std::string& instance_name) = 0;
  // It ended, however: its metrics go unless another worker has them too.
  virtual void CloseWorker(uint64_t worker) = 0;

  // One request, opaque to whoever carries it; kinds and JSON are those of api/worker_calls.h.
  // All of it comes from a model: nothing in it is trusted.
  virtual void Call(uint64_t worker, const std::string& kind, std::string_view json,
                    CallFiles files, CallReply reply) = 0;
  // In the order they were sent. Series that the worker doesn't have are ignored.
  virtual void UpdateMetrics(uint64_t worker, std::span<const MetricUpdate> updates) = 0;

  // Finds the model, checks the request as an edge does, runs it. What comes back cancels it; null
  // when it was answered already.
  virtual RefPtr<Responder> Infer(InnerRequest&& request, InnerSink sink) = 0;
};

}  // namespace pt
