// PyReleaser: drops Python references for threads that don't hold the interpreter lock. They post
// here; the next execution drops them under the lock it holds anyway, and when none comes a small
// thread does. PyBlock: host bytes inside a Python object (a numpy array), as a Block.
//
// Thread rule: Post from any thread; DrainLocked and Stop as said.
// Owner rule: counted; blocks keep it alive. Stop before the interpreter ends.
#pragma once

#include <Python.h>

#include <atomic>
#include <cstdint>
#include <thread>

#include "base/block.h"
#include "base/mutex.h"
#include "base/ref_counted.h"

namespace pt::bindings {

class PyReleaser final : public RefCounted {
 public:
  // REQUIRES: the interpreter runs.
  PyReleaser();

  // Takes over one reference (null: nothing). Never waits for the interpreter.
  void Post(PyObject* object) EXCLUDES(mu_);
  // Drops what was posted; takes no lock. REQUIRES: the interpreter lock is held.
  void DrainLocked();
  // How often it was called: each execution does it once.
  uint64_t drains() const { return drains_.load(std::memory_order_relaxed); }
  // Ends the thread and drops the rest. REQUIRES: called from Python with the lock held, after the
  // last thread that posts has ended. Idempotent.
  void Stop();

 private:
  struct Node {
    PyObject* object;
    Node* next;
  };

  ~PyReleaser() override;
  void Run();
  // Blocks until something has waited for longer than an execution takes; false: stop.
  bool WaitForWork() EXCLUDES(mu_);

  std::atomic<Node*> posted_{nullptr};
  std::atomic<uint64_t> drains_{0};
  std::atomic<bool> is_sleeping_{false};
  Mutex mu_;
  CondVar cv_;
  bool is_stopping_ GUARDED_BY(mu_) = false;
  std::thread thread_;
};

class PyBlock final : public Block {
 public:
  // Takes over one reference to `object`, which owns the bytes.
  PyBlock(PyObject* object, char* data, size_t size, RefPtr<PyReleaser> releaser)
      : Block(data, size), object_(object), releaser_(std::move(releaser)) {}

 private:
  void Dispose() override {
    releaser_->Post(object_);
    delete this;
  }
  PyObject* const object_;
  const RefPtr<PyReleaser> releaser_;
};

}  // namespace pt::bindings
