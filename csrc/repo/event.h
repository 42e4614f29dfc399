// Event: something that happens once and is waited for.
//
// Thread rule: thread-safe. Owner rule: shared by the waiter and whoever makes it happen.
#pragma once

#include "base/clock.h"
#include "base/mutex.h"

namespace pt::repo {

class Event {
 public:
  void Happen() EXCLUDES(mu_) {
    MutexLock lock(&mu_);
    has_happened_ = true;
    // Under the lock: the waiter may destroy this object as soon as it sees the flag.
    cv_.NotifyAll();
  }

  void Wait() EXCLUDES(mu_) {
    MutexLock lock(&mu_);
    while (!has_happened_) cv_.Wait(&mu_);
  }

 private:
  Mutex mu_;
  CondVar cv_;
  bool has_happened_ GUARDED_BY(mu_) = false;
};

}  // namespace pt::repo
