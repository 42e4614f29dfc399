// WorkerOrphans: ends what a worker's model has started and left behind (subprocesses, forks): all
// that is still in the process group of a worker some time after that has ended. Until then it may
// end by itself, and clean up.
//
// Thread rule: Add on the monitor's thread. Owner rule: outlives the monitor's thread, and ends
// what is left when it goes.
#pragma once

#include <sys/types.h>

#include <set>

#include "backend/worker_monitor.h"

namespace pt::backend {

class WorkerOrphans {
 public:
  explicit WorkerOrphans(WorkerMonitor* monitor) : monitor_(monitor) {}
  ~WorkerOrphans();
  WorkerOrphans(const WorkerOrphans&) = delete;
  WorkerOrphans& operator=(const WorkerOrphans&) = delete;

  // The worker with that number, the leader of its group, has ended and was reaped just now. While
  // the group has a process its number is nobody else's.
  void Add(pid_t group);

 private:
  void End(pid_t group);

  WorkerMonitor* const monitor_;
  std::set<pid_t> groups_;
};

}  // namespace pt::backend
