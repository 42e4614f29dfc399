// Latch: waits until a number of things have happened, or a time has come.
//
// Thread rule: thread-safe. Owner rule: shared by the waiter and those it waits for, who may come
// late.
#pragma once

#include <memory>

#include "base/clock.h"
#include "base/mutex.h"

namespace pt::server {

class Latch {
 public:
  explicit Latch(int count) : missing_(count) {}

  void CountDown() EXCLUDES(mu_) {
    MutexLock lock(&mu_);
    if (--missing_ == 0) done_.NotifyAll();
  }
  // False when `deadline` came first.
  bool WaitUntil(TimePoint deadline) EXCLUDES(mu_) {
    MutexLock lock(&mu_);
    while (missing_ > 0) {
      if (deadline == kNoDeadline) {
        done_.Wait(&mu_);
      } else if (!done_.WaitUntil(&mu_, deadline)) {
        return missing_ <= 0;
      }
    }
    return true;
  }

 private:
  Mutex mu_;
  CondVar done_;
  int missing_ GUARDED_BY(mu_);
};

}  // namespace pt::server
