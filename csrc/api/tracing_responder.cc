#include "api/tracing_responder.h"

#include <chrono>
#include <utility>
#include <vector>

namespace pt::api {
namespace {

TimePoint Now() { return std::chrono::steady_clock::now(); }

class TracingResponder final : public Responder {
 public:
  TracingResponder(RefPtr<Trace> trace, const InferRequest& request)
      : trace_(std::move(trace)),
        model_(&request.model()),
        device_outputs_(request.device_outputs),
        client_(&request.responder()) {}

  // The client's end of the call is still the one that is cancelled. The reference in the observer
  // goes with the final answer, which every request gets.
  void FollowClient() {
    client_->OnCancel([self = RefPtr<TracingResponder>(this)] { self->Cancel(); });
  }

  void Send(InferResponse&& response, Finality finality) override {
    if (finality == Finality::kFinal) client_->OnCancel({});
    const bool is_end_mark = finality == Finality::kFinal && response.status.ok() &&
                             response.outputs.empty() && has_responded_;
    if (!is_end_mark) trace_->Mark(TraceEvent::kResponseComplete, Now());
    has_responded_ = true;
    if (!response.status.ok()) trace_->Fail(response.status.message());
    if (trace_->subject.has_tensors) AddOutputs(response);
    if (finality == Finality::kFinal) trace_->Mark(TraceEvent::kRequestEnd, Now());
    const bool is_sent = trace_->subject.parent_id == 0;  // else a model takes it
    if (is_sent) trace_->Mark(TraceEvent::kSendStart, Now());
    client_->Send(std::move(response), finality);
    if (is_sent) trace_->Mark(TraceEvent::kSendEnd, Now());
  }

 private:
  void AddOutputs(const InferResponse& response) {
    const std::vector<TensorSpec>& specs = model_->config().outputs;
    for (const OutputTensor& output : response.outputs) {
      TensorView tensor = output.tensor;
      for (const int index : device_outputs_) {
        if (index == output.index) tensor.data = {};
      }
      const std::string& name = specs[static_cast<size_t>(output.index)].name;
      trace_->AddTensor(TraceActivity::kBackendOutput, name, tensor);
    }
  }

  const RefPtr<Trace> trace_;
  const Model* const model_;  // pinned by the request until its final answer
  const std::vector<int> device_outputs_;
  const RefPtr<Responder> client_;
  bool has_responded_ = false;
};

}  // namespace

void TraceAnswers(const RefPtr<Trace>& trace, InferRequest* request) {
  auto responder = MakeRef<TracingResponder>(trace, *request);
  responder->FollowClient();
  request->AnswerTo(std::move(responder));
}

}  // namespace pt::api
