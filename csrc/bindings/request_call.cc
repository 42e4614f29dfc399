// The general path: fn(requests) gets Request objects and returns one dict for each of them.
#include "bindings/call.h"
#include "bindings/outputs.h"
#include "bindings/request_list.h"

namespace pt::bindings {
namespace {

class RequestCall final : public Call {
 public:
  RequestCall(const PyModel* model, const PyCallable& callable, PyThread* thread)
      : model_(*model), callable_(callable), thread_(thread) {}

  void Execute(Batch* batch, ExecutionTimes* times) override {
    GilHold hold(thread_);
    model_.releaser->DrainLocked();
    if (!RunLocked(batch, times)) FailBatch(model_, batch);
  }

 private:
  bool RunLocked(Batch* batch, ExecutionTimes* times) {
    std::vector<const InferRequest*> requests;
    for (const RequestPtr& request : batch->requests) requests.push_back(request.get());
    PyRef list = MakeRequestList(model_, callable_, requests);
    if (!list) return false;
    times->input_end = std::chrono::steady_clock::now();
    PyRef result = PyRef::Steal(PyObject_CallOneArg(callable_.target.get(), list.get()));
    times->infer_end = std::chrono::steady_clock::now();
    list.Reset();
    if (!result) return false;
    std::vector<std::vector<TakenArray>> taken;
    if (!TakeList(model_, std::move(result), requests.size(), &taken)) return false;
    for (size_t i = 0; i < requests.size(); ++i) {
      InferResponse& response = batch->responses[i];
      if (!MakeTensors(model_, *requests[i], &taken[i], &response.outputs)) return false;
      KeepWanted(*requests[i], &response.outputs);
    }
    return true;
  }

  const PyModel& model_;
  const PyCallable& callable_;
  PyThread* const thread_;
};

}  // namespace

std::unique_ptr<Call> NewRequestCall(const PyModel* model, const PyCallable& callable,
                                     PyThread* thread) {
  return std::make_unique<RequestCall>(model, callable, thread);
}

}  // namespace pt::bindings
