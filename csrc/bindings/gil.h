// PyThread and GilHold: the only place where C++ takes the interpreter lock.
//
// A thread that calls Python for its whole life keeps one thread state (attaching it costs 70 ns, a
// new one 340 ns). On free-threaded builds the same calls attach the thread without a lock.
// Thread rule: both belong to the thread that called Attach. Owner rule: GilHold borrows the
// PyThread.
#pragma once

#include <Python.h>

namespace pt::bindings {

class PyThread {
 public:
  PyThread() = default;
  PyThread(const PyThread&) = delete;
  PyThread& operator=(const PyThread&) = delete;

  // Makes a thread state for the calling thread, detached. REQUIRES: the interpreter runs.
  void Attach();
  // Ends it. REQUIRES: Attach on this thread; the interpreter still runs.
  void Detach();

 private:
  friend class GilHold;
  PyGILState_STATE state_ = PyGILState_UNLOCKED;
  PyThreadState* thread_ = nullptr;
};

// Holds the interpreter lock for a scope. REQUIRES: no pt::Mutex is taken while it lives.
class GilHold {
 public:
  explicit GilHold(PyThread* thread);
  ~GilHold();
  GilHold(const GilHold&) = delete;
  GilHold& operator=(const GilHold&) = delete;

 private:
  PyThread* const thread_;
};

}  // namespace pt::bindings
