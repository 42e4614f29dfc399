// CallableBackend: runs the instances of a bound model: Python callables, each on its fixed thread.
//
// Thread rule: as Backend. Owner rule: holds its PyModel through a capsule that is released under
// the interpreter lock, by whichever thread has it.
#pragma once

#include <memory>

#include "bindings/py_model.h"
#include "bindings/stream.h"
#include "infer/backend.h"

namespace pt::bindings {

class CallableBackend final : public Backend {
 public:
  // REQUIRES: the interpreter lock is held. Null with a Python error set when there is no memory.
  static std::unique_ptr<CallableBackend> Create(std::unique_ptr<PyModel> model);
  ~CallableBackend() override;

  Result<std::unique_ptr<BackendInstance>> CreateInstance(int ordinal) override;
  // Gives streams that ignore their cancellation a moment to end.
  void Drain() override;

 private:
  CallableBackend(PyObject* capsule, const PyModel* model) : capsule_(capsule), model_(model) {}

  PyObject* const capsule_;  // one reference; owns *model_
  const PyModel* const model_;
  // Shared with the streams: a callable may keep one beyond the model.
  const std::shared_ptr<StreamCounter> streams_ = std::make_shared<StreamCounter>();
};

}  // namespace pt::bindings
