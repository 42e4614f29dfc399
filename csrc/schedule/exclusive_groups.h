// ExclusiveGroups: executions of one group never run at the same time, whatever their model or
// instance: for callables that would wait for each other forever (collective operations over
// several GPUs).
//
// Fair: whoever came first goes first. Thread rule: thread-safe; Enter blocks, so never on a loop.
// Owner rule: owned by server/; groups live as long as it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "base/mutex.h"

namespace pt::schedule {

class ExclusiveGroup {
 public:
  void Enter() EXCLUDES(mu_) {
    MutexLock lock(&mu_);
    const uint64_t ticket = next_ticket_++;
    while (ticket != now_inside_) changed_.Wait(&mu_);
  }
  // REQUIRES: entered, by whichever thread.
  void Leave() EXCLUDES(mu_) {
    MutexLock lock(&mu_);
    ++now_inside_;
    changed_.NotifyAll();
  }
  // Callers of Enter that still wait.
  uint64_t waiting() const EXCLUDES(mu_) {
    MutexLock lock(&mu_);
    const uint64_t entered = next_ticket_ - now_inside_;
    return entered == 0 ? 0 : entered - 1;
  }

 private:
  mutable Mutex mu_;
  CondVar changed_;
  uint64_t next_ticket_ GUARDED_BY(mu_) = 0;
  uint64_t now_inside_ GUARDED_BY(mu_) = 0;
};

class ExclusiveGroups {
 public:
  // The group of that name, made at first use; stays where it is.
  ExclusiveGroup* Get(const std::string& name) EXCLUDES(mu_) {
    MutexLock lock(&mu_);
    auto& group = groups_[name];
    if (!group) group = std::make_unique<ExclusiveGroup>();
    return group.get();
  }

 private:
  Mutex mu_;
  std::map<std::string, std::unique_ptr<ExclusiveGroup>> groups_ GUARDED_BY(mu_);
};

}  // namespace pt::schedule
