// Outbox<Answer>: what other threads answered, until the loop takes it. Answers keep their order
// also when the loop's role comes to the answering thread in between.
//
// Thread rule: Add from any thread, one at a time; Take from the loop's driver.
#pragma once

#include <atomic>
#include <utility>

#include "base/mutex.h"

namespace pt::server {

template <typename Answer>
class Outbox {
 public:
  // Applies `change` to the waiting answer. True: the caller must post to the loop.
  template <typename Change>
  [[nodiscard]] bool Add(const Change& change) EXCLUDES(mu_) {
    MutexLock lock(&mu_);
    change(&answer_);
    return !is_waiting_.exchange(true, std::memory_order_acq_rel);
  }
  bool is_waiting() const { return is_waiting_.load(std::memory_order_acquire); }

  Answer Take() EXCLUDES(mu_) {
    MutexLock lock(&mu_);
    is_waiting_.store(false, std::memory_order_relaxed);
    return std::exchange(answer_, Answer());
  }

 private:
  std::atomic<bool> is_waiting_{false};
  Mutex mu_;
  Answer answer_ GUARDED_BY(mu_);
};

}  // namespace pt::server
