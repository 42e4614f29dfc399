// WorkerMonitor: one thread for all worker processes: starts them, and sees what happens to them
// (an end, output, a bell) while nobody waits for it.
//
// Thread rule: Post, PostAt and RunAndWait from any thread (RunAndWait not from its own); Watch and
// Unwatch on its own thread. Owner rule: owned by the workers' hub; outlives every worker.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/function_ref.h"
#include "base/mutex.h"
#include "base/status.h"

namespace pt::backend {

class WorkerMonitor {
 public:
  using Task = std::function<void()>;

  // Errors: Unavailable when the process is out of file descriptors.
  static Result<std::unique_ptr<WorkerMonitor>> Create();
  ~WorkerMonitor();  // joins; what was posted and not run is dropped
  WorkerMonitor(const WorkerMonitor&) = delete;
  WorkerMonitor& operator=(const WorkerMonitor&) = delete;

  void Post(Task task) EXCLUDES(mu_);
  void PostAt(TimePoint when, Task task) EXCLUDES(mu_);
  // Runs `task` on the monitor's thread and returns when it has ended.
  void RunAndWait(FunctionRef<void()> task) EXCLUDES(mu_);

  // Calls `on_readable` whenever `fd` is readable or at its end.
  void Watch(int fd, Task on_readable);
  void Unwatch(int fd);

 private:
  WorkerMonitor(int epoll_fd, int wake_fd);
  void Run() EXCLUDES(mu_);
  // Runs what is due; milliseconds until the next one, -1: none.
  int RunPosted() EXCLUDES(mu_);
  void Dispatch(int fd);

  const int epoll_fd_;
  const int wake_fd_;
  std::map<int, std::shared_ptr<Task>> watched_;  // the thread's own
  Mutex mu_;
  std::vector<Task> posted_ GUARDED_BY(mu_);
  std::multimap<TimePoint, Task> timed_ GUARDED_BY(mu_);
  std::atomic<bool> is_stopping_{false};
  std::thread thread_;
};

}  // namespace pt::backend
