#include "bindings/callable_backend.h"

#include <chrono>
#include <string>
#include <utility>

#include "bindings/call.h"

namespace pt::bindings {
namespace {

constexpr char kCapsuleName[] = "pytriton._core.PyModel";
// After the server's own exit timeout; a stream that still runs then is left to itself.
constexpr std::chrono::seconds kStreamPatience{5};

void DestroyModel(PyObject* capsule) {
  delete static_cast<PyModel*>(PyCapsule_GetPointer(capsule, kCapsuleName));
}

class CallableInstance final : public BackendInstance {
 public:
  CallableInstance(const PyModel* model, int ordinal, std::shared_ptr<StreamCounter> streams)
      : model_(*model), ordinal_(ordinal), streams_(std::move(streams)) {}

  Status Start() override {
    python_.Attach();
    Status status = StartLocked();
    if (!status.ok()) python_.Detach();
    return status;
  }

  void Execute(Batch* batch, ExecutionTimes* times) override {
    batch->responses.resize(batch->requests.size());
    call_->Execute(batch, times);
  }

  void Stop() override {
    if (call_ == nullptr) return;  // Start failed
    {
      GilHold hold(&python_);
      call_->Release();
      PyRef stopped =
          PyRef::Steal(PyObject_CallMethod(model_.binding.get(), "stop_instance", "i", ordinal_));
      if (!stopped) PyErr_WriteUnraisable(model_.binding.get());
    }
    python_.Detach();
  }

 private:
  Status StartLocked() {
    GilHold hold(&python_);
    PyRef started =
        PyRef::Steal(PyObject_CallMethod(model_.binding.get(), "start_instance", "i", ordinal_));
    if (!started) return DescribeError(model_, {}, false);
    call_ = NewCall(model_.callables[static_cast<size_t>(ordinal_)]);
    return {};
  }

  std::unique_ptr<Call> NewCall(const PyCallable& callable) {
    switch (callable.form) {
      case CallForm::kArrays:
        return NewArrayCall(&model_, callable, &python_);
      case CallForm::kStream:
        return NewStreamCall(&model_, callable, &python_, streams_);
      case CallForm::kRequests:
        break;
    }
    return NewRequestCall(&model_, callable, &python_);
  }

  const PyModel& model_;
  const int ordinal_;
  const std::shared_ptr<StreamCounter> streams_;
  PyThread python_;
  std::unique_ptr<Call> call_;
};

}  // namespace

std::function<Result<std::unique_ptr<Backend>>()> CallableBackend::MakerOf(
    std::unique_ptr<PyModel> model) {
  PyObject* capsule = PyCapsule_New(model.get(), kCapsuleName, DestroyModel);
  if (capsule == nullptr) return nullptr;
  model->owner = capsule;
  const RefPtr<PyReleaser> releaser = model->releaser;
  std::shared_ptr<const PyModel> shared(
      model.release(), [releaser, capsule](const PyModel*) { releaser->Post(capsule); });
  return [shared]() -> Result<std::unique_ptr<Backend>> {
    return std::unique_ptr<Backend>(new CallableBackend(shared));
  };
}

Result<std::unique_ptr<BackendInstance>> CallableBackend::CreateInstance(int ordinal) {
  if (ordinal < 0 || static_cast<size_t>(ordinal) >= model_->callables.size()) {
    return Internal("model '" + model_->config.name + "' has " +
                    std::to_string(model_->callables.size()) + " callables, got instance " +
                    std::to_string(ordinal));
  }
  return std::unique_ptr<BackendInstance>(new CallableInstance(model_.get(), ordinal, streams_));
}

void CallableBackend::Drain() {
  streams_->WaitForNone(std::chrono::steady_clock::now() + kStreamPatience);
}

}  // namespace pt::bindings
