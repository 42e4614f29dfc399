// Call: one way to run a callable for a batch. An instance has one, chosen by the callable's form.
//
// Thread rule: used by the instance's thread only.
// Owner rule: borrows the PyModel, its callable and the thread; Release drops its Python
// references.
#pragma once

#include <memory>

#include "bindings/gil.h"
#include "bindings/py_model.h"

namespace pt::bindings {

class StreamCounter;

class Call {
 public:
  virtual ~Call() = default;
  // As BackendInstance::Execute. Takes the interpreter lock itself, once.
  virtual void Execute(Batch* batch, ExecutionTimes* times) = 0;
  // Drops what is kept between calls. REQUIRES: the interpreter lock is held.
  virtual void Release() {}
};

// fn(**inputs): see array_call.cc.
std::unique_ptr<Call> NewArrayCall(const PyModel* model, const PyCallable& callable,
                                   PyThread* thread);
// fn(requests): see request_call.cc.
std::unique_ptr<Call> NewRequestCall(const PyModel* model, const PyCallable& callable,
                                     PyThread* thread);
// fn(requests, stream): see stream_call.cc.
std::unique_ptr<Call> NewStreamCall(const PyModel* model, const PyCallable& callable,
                                    PyThread* thread, std::shared_ptr<StreamCounter> streams);

}  // namespace pt::bindings
