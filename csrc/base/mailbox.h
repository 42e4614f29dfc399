// Mailbox<T>: many threads post, one consumer takes everything at once. The consumer is woken only
// when it said that it sleeps.
//
// Thread rule: Post from any thread; TakeAll, BeginSleep and EndSleep from the consumer only.
// Owner rule: the consumer owns it; posters must not outlive it.
#pragma once

#include <utility>
#include <vector>

#include "base/mutex.h"

namespace pt {

template <typename T>
class Mailbox {
 public:
  // Returns true when the consumer sleeps and the caller must wake it (once a sleep).
  [[nodiscard]] bool Post(T item) EXCLUDES(mu_) {
    MutexLock lock(&mu_);
    items_.push_back(std::move(item));
    return std::exchange(is_sleeping_, false);
  }

  // Moves everything posted so far into `out` (which is cleared first), in the order of posting.
  void TakeAll(std::vector<T>* out) EXCLUDES(mu_) {
    out->clear();
    MutexLock lock(&mu_);
    items_.swap(*out);
  }

  // The consumer is about to sleep. False when something waits: then it must not.
  [[nodiscard]] bool BeginSleep() EXCLUDES(mu_) {
    MutexLock lock(&mu_);
    if (!items_.empty()) return false;
    is_sleeping_ = true;
    return true;
  }

  void EndSleep() EXCLUDES(mu_) {
    MutexLock lock(&mu_);
    is_sleeping_ = false;
  }

 private:
  Mutex mu_;
  std::vector<T> items_ GUARDED_BY(mu_);
  bool is_sleeping_ GUARDED_BY(mu_) = false;
};

}  // namespace pt
