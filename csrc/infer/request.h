// InferRequest: one inference under way, from the edge to the model version that answers it.
//
// Owner rule: one owner at a time: api -> scheduler -> batch. It pins its model version. A request
// that is destroyed unanswered answers itself with an Internal status, so none is ever lost.
// Thread rule: belongs to its owner's thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/cells.h"
#include "base/clock.h"
#include "infer/model.h"
#include "infer/parameter.h"
#include "infer/response.h"
#include "infer/trace.h"
#include "tensor/region.h"
#include "tensor/tensor.h"

namespace pt {

struct InputTensor {
  int index = 0;  // into ModelConfig::inputs
  TensorView tensor;
};
using InputTensors = std::vector<InputTensor, CellAllocator<InputTensor>>;

// Which sequence a request belongs to: a number or a text; 0: none.
using CorrelationId = std::variant<uint64_t, std::string>;
inline constexpr uint32_t kSequenceStart = 1;
inline constexpr uint32_t kSequenceEnd = 2;

// A range of client memory that inputs are read from in place, or are on their way from.
struct RegionUse {
  RegionRef region;
  uint64_t offset = 0;
  uint64_t size = 0;
  RefPtr<PendingCopy> pending;  // null: nothing is on its way
};

class InferRequest : public InCells {
 public:
  InferRequest(ModelHandle model, RefPtr<Responder> responder)
      : model_(std::move(model)), responder_(std::move(responder)) {}
  ~InferRequest();
  InferRequest(const InferRequest&) = delete;
  InferRequest& operator=(const InferRequest&) = delete;

  // Filled by the edge before Submit; constant afterwards.
  std::string id;
  Parameters parameters;
  InputTensors inputs;                 // sorted by index after validation
  std::vector<int> requested_outputs;  // output indices; empty: all
  std::vector<RegionUse> regions;      // what the inputs' bytes may vanish from
  std::vector<int> device_outputs;     // output indices whose bytes may be a device's addresses
  uint32_t priority = 0;               // 0: the model's default level
  CorrelationId correlation_id;        // as the client gave it
  uint32_t sequence_flags = 0;         // kSequenceStart, kSequenceEnd
  uint64_t timeout_us = 0;             // `timeout` parameter: shortens the queue timeout; 0: none
  TimePoint deadline = kNoDeadline;    // the client's own deadline (grpc-timeout, HTTP header)
  TimePoint arrival;                   // when its last byte was there
  int64_t batch_size = 1;              // set by validation: first dimension, 1 without batching
  int64_t input_bytes = 0;             // set by validation
  RefPtr<Trace> trace;                 // null: this request is not traced

  // Whom it answers, for an edge that made it without one: until then it is dropped silently, so an
  // edge can refuse what turns out invalid in its own way.
  void AnswerTo(RefPtr<Responder> responder) { responder_ = std::move(responder); }

  const Model& model() const { return *model_; }
  const ModelHandle& handle() const { return model_; }
  bool is_cancelled() const { return responder_->is_cancelled(); }
  Responder& responder() const { return *responder_; }
  bool WantsOutput(int index) const;

  bool TakesDeviceOutput(int index) const;

  // Waits for inputs that are on their way. Before anybody looks at them; CheckRegions tells
  // whether they came.
  void AwaitInputs() const;
  // Not OK when a client took memory away under the inputs: whatever was computed is of no use.
  Status CheckRegions() const;

  // Sends one response. After AnswerLater the final one also counts success or failure in the
  // model's statistics; before, the executor counts. REQUIRES: no final response was sent before.
  void Respond(InferResponse&& response, Finality finality);
  // The final response, an error. Nothing happens when it was answered already.
  void Fail(Status status, FailureReason reason = FailureReason::kOther);
  // The request leaves its batch and answers (and counts) by itself. Called by backends.
  void AnswerLater() { counts_itself_ = true; }
  // An executor took it into a batch: the executor counts.
  void EnterBatch() { counts_itself_ = false; }
  bool is_answered() const { return is_answered_; }

 private:
  void CountAnswer(const Status& status, FailureReason reason);

  ModelHandle model_;
  RefPtr<Responder> responder_;
  bool is_answered_ = false;
  bool counts_itself_ = true;  // false while an executor holds it in a batch
};

using RequestPtr = std::unique_ptr<InferRequest>;
using RequestList = std::vector<RequestPtr>;

}  // namespace pt
