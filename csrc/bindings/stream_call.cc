// Decoupled models: fn(requests, stream) answers through the stream, on this thread or later on
// another one.
#include "bindings/call.h"
#include "bindings/request_list.h"
#include "bindings/stream.h"

namespace pt::bindings {
namespace {

class StreamCall final : public Call {
 public:
  StreamCall(const PyModel* model, const PyCallable& callable, PyThread* thread,
             std::shared_ptr<StreamCounter> streams)
      : model_(*model), callable_(callable), thread_(thread), streams_(std::move(streams)) {}

  void Execute(Batch* batch, ExecutionTimes* times) override {
    times->input_end = std::chrono::steady_clock::now();
    GilHold hold(thread_);
    model_.releaser->DrainLocked();
    if (!RunLocked(batch)) FailBatch(model_, batch);
    times->infer_end = std::chrono::steady_clock::now();
  }

 private:
  // False: a Python error is set and the requests are still in the batch.
  bool RunLocked(Batch* batch) {
    std::vector<const InferRequest*> requests;
    for (const RequestPtr& request : batch->requests) requests.push_back(request.get());
    PyRef list = MakeRequestList(model_, callable_, requests);
    if (!list) return false;
    RequestList leaving;
    for (RequestPtr& request : batch->requests) {
      request->AnswerLater();
      leaving.push_back(std::move(request));
    }
    PyRef stream = WrapStream(std::make_unique<Stream>(&model_, std::move(leaving), streams_));
    if (!stream) {  // the requests have failed themselves
      PyErr_Clear();
      return true;
    }
    PyObject* const target = callable_.target.get();
    PyRef done =
        PyRef::Steal(PyObject_CallFunctionObjArgs(target, list.get(), stream.get(), nullptr));
    // The driver reports the callable's errors through the stream; what comes out here is its own,
    // and dropping the stream fails the requests.
    if (!done) PyErr_WriteUnraisable(target);
    return true;
  }

  const PyModel& model_;
  const PyCallable& callable_;
  PyThread* const thread_;
  const std::shared_ptr<StreamCounter> streams_;
};

}  // namespace

std::unique_ptr<Call> NewStreamCall(const PyModel* model, const PyCallable& callable,
                                    PyThread* thread, std::shared_ptr<StreamCounter> streams) {
  return std::make_unique<StreamCall>(model, callable, thread, std::move(streams));
}

}  // namespace pt::bindings
