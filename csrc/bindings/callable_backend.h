// CallableBackend: runs the instances of a bound model: Python callables, each on its fixed thread.
//
// Thread rule: as Backend. Owner rule: all backends of one maker share its PyModel through a
// capsule that is released under the interpreter lock, by whichever thread has it.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "bindings/py_model.h"
#include "bindings/stream.h"
#include "infer/backend.h"

namespace pt::bindings {

class CallableBackend final : public Backend {
 public:
  // Makes backends of that model, one after another. REQUIRES: the interpreter lock is held. Empty
  // with a Python error set when there is no memory.
  static std::function<Result<std::unique_ptr<Backend>>()> MakerOf(std::unique_ptr<PyModel> model);

  Result<std::unique_ptr<BackendInstance>> CreateInstance(int ordinal) override;
  // Gives streams that ignore their cancellation a moment to end.
  void Drain() override;

 private:
  explicit CallableBackend(std::shared_ptr<const PyModel> model) : model_(std::move(model)) {}

  const std::shared_ptr<const PyModel> model_;  // a reference of the capsule
  // Shared with the streams: a callable may keep one beyond the model.
  const std::shared_ptr<StreamCounter> streams_ = std::make_shared<StreamCounter>();
};

}  // namespace pt::bindings
