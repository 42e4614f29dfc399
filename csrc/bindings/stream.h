// Stream: the Python object through which a decoupled callable answers a batch: any number of
// responses to each request, then the end. StreamCounter: knows when the last one has ended.
//
// Thread rule: a Stream is used by one thread at a time, with the interpreter lock, which it gives
// up while it sends. Owner rule: it owns the requests; dropped before its end, it fails them.
#pragma once

#include <memory>

#include "base/mutex.h"
#include "bindings/py_model.h"

namespace pt::bindings {

class StreamCounter {
 public:
  void Add() EXCLUDES(mu_);
  void Remove() EXCLUDES(mu_);
  // Waits until none is left; false when `deadline` passed before.
  bool WaitForNone(TimePoint deadline) EXCLUDES(mu_);

 private:
  Mutex mu_;
  CondVar cv_;
  int64_t count_ GUARDED_BY(mu_) = 0;
};

class Stream {
 public:
  // The requests have left their batch (AnswerLater). Keeps the model's data alive.
  Stream(const PyModel* model, RequestList requests, std::shared_ptr<StreamCounter> counter);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Sends one response to each request, the only one when the model is not decoupled. False with a
  // Python error set when `results` is not a list of acceptable dicts; nothing was sent then.
  bool Respond(PyObject* results);
  // Ends every request.
  void Finish();
  // Fails every request with the Python error `error` (borrowed).
  void Fail(PyObject* error);
  // Fails every request as cancelled.
  void Cancel();
  // True when no client waits any more.
  bool is_cancelled() const;
  const RequestList& requests() const { return requests_; }

 private:
  const PyModel& model_;
  PyRef model_owner_;
  RequestList requests_;  // empty after the end
  const std::shared_ptr<StreamCounter> counter_;
};

// Adds the Python class to the module.
void AddStreamType(PyObject* module);
// A new Python object that owns the stream. Null with a Python error set.
PyRef WrapStream(std::unique_ptr<Stream> stream);

}  // namespace pt::bindings
