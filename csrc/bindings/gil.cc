#include "bindings/gil.h"

namespace pt::bindings {

// PyGILState_Ensure, not PyThreadState_New: extensions that the callable uses then find this
// thread's state themselves.
void PyThread::Attach() {
  state_ = PyGILState_Ensure();
  thread_ = PyEval_SaveThread();
}

void PyThread::Detach() {
  PyEval_RestoreThread(thread_);
  thread_ = nullptr;
  PyGILState_Release(state_);
}

GilHold::GilHold(PyThread* thread) : thread_(thread) { PyEval_RestoreThread(thread_->thread_); }

GilHold::~GilHold() { thread_->thread_ = PyEval_SaveThread(); }

}  // namespace pt::bindings
