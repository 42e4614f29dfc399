// JobPool: runs jobs on up to N threads, in the order they came. A thread is started when a job
// comes and none is idle, and stays; so a slow job delays others only when N are slow at once.
//
// Thread rule: thread-safe; jobs may post. Owner rule: the destructor runs what waits and joins.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"

namespace pt {

class JobPool {
 public:
  // `name` is given to the threads (15 characters are kept).
  JobPool(const std::string& name, int max_threads);
  ~JobPool();
  JobPool(const JobPool&) = delete;
  JobPool& operator=(const JobPool&) = delete;

  void Post(std::function<void()> job) EXCLUDES(mu_);
  // Jobs that wait or run.
  int pending() const EXCLUDES(mu_);

 private:
  void Run() EXCLUDES(mu_);

  const std::string name_;
  const size_t max_threads_;
  mutable Mutex mu_;
  CondVar wake_;
  std::deque<std::function<void()>> jobs_ GUARDED_BY(mu_);
  size_t idle_ GUARDED_BY(mu_) = 0;
  int running_ GUARDED_BY(mu_) = 0;
  bool is_closing_ GUARDED_BY(mu_) = false;
  std::vector<std::thread> threads_ GUARDED_BY(mu_);
};

}  // namespace pt
