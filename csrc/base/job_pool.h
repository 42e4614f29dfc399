// JobPool: runs jobs on up to N threads, in the order they came. A thread is started when a job
// comes and none is idle, and stays. A job that has run longer than the pool's patience no longer
// counts against N, so jobs that hang delay others by that much at most, however many they are.
//
// Thread rule: thread-safe; jobs may post. Owner rule: the destructor runs what waits and joins.
#pragma once

#include <deque>
#include <functional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"

namespace pt {

class JobPool {
 public:
  static constexpr Duration kEndlessPatience = Duration::max();

  // `name` is given to the threads (15 characters are kept).
  JobPool(const std::string& name, int max_threads, Duration patience = kEndlessPatience);
  ~JobPool();
  JobPool(const JobPool&) = delete;
  JobPool& operator=(const JobPool&) = delete;

  void Post(std::function<void()> job) EXCLUDES(mu_);
  // Jobs that wait or run.
  int pending() const EXCLUDES(mu_);

 private:
  void Run() EXCLUDES(mu_);
  // Has others take over what waits behind jobs that take long.
  void Watch() EXCLUDES(mu_);
  // Running jobs that count.
  size_t CountedLocked(TimePoint now) const REQUIRES(mu_);
  // Starts threads while jobs lack one and more may run.
  void StaffLocked(TimePoint now) REQUIRES(mu_);
  // Waits for a job and a place to run it; false when there is none any more.
  bool TakeLocked(std::function<void()>* job) REQUIRES(mu_);

  const std::string name_;
  const size_t max_threads_;
  const Duration patience_;
  mutable Mutex mu_;
  CondVar wake_;   // threads
  CondVar watch_;  // the watcher
  std::deque<std::function<void()>> jobs_ GUARDED_BY(mu_);
  std::multiset<TimePoint> running_ GUARDED_BY(mu_);  // when each began
  bool is_closing_ GUARDED_BY(mu_) = false;
  std::vector<std::thread> threads_ GUARDED_BY(mu_);
  std::thread watcher_ GUARDED_BY(mu_);  // from the first time that a job has to wait
};

}  // namespace pt
