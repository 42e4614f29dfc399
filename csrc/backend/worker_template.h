// Worker templates: processes that have imported what every worker needs and fork workers from
// there (pytriton/backends/_template.py): a load then starts no interpreter. Not needed for
// anything: whoever gets none, or finds that it can't fork, starts a worker by itself.
//
// A template is for one interpreter and one environment. Its workers end with it, and it with the
// server, however that ends, after what its workers' models have started; only it can reap them.
// Thread rule: thread-safe; a lock is held for a question and its answer, which take milliseconds.
// Get waits for a new one. Owner rule: shared by the workers that it forked; WorkerTemplates keeps
// the few that were used last.
#pragma once

#include <list>
#include <memory>
#include <optional>
#include <string>

#include "backend/worker_monitor.h"
#include "backend/worker_spawn.h"
#include "base/mutex.h"

namespace pt::backend {

class WorkerTemplate {
 public:
  // REQUIRES: on a thread that lives as long as the workers. Errors: Unavailable.
  static Result<std::shared_ptr<WorkerTemplate>> Start(const SpawnOptions& options);
  ~WorkerTemplate();

  // Whether it has imported everything; waits until it has, or can't, or `deadline`.
  bool Await(TimePoint deadline) EXCLUDES(mu_);
  // A worker with these ends of its socket and of its output, in this process's directory; -1: it
  // can't.
  pid_t Fork(int socket, int output) EXCLUDES(mu_);
  // How that worker has ended (as waitpid says it); empty: it runs, or nobody knows.
  std::optional<int> Reap(pid_t pid) EXCLUDES(mu_);
  // Whether it forks no more.
  bool is_spent() const EXCLUDES(mu_);

 private:
  WorkerTemplate() = default;
  // -1 also when there is no answer.
  int64_t Ask(std::string_view command, const std::vector<int>& descriptors) REQUIRES(mu_);
  bool Read(char* data, size_t size, TimePoint deadline) REQUIRES(mu_);

  mutable Mutex mu_;
  WorkerChild child_ GUARDED_BY(mu_);
  bool is_ready_ GUARDED_BY(mu_) = false;
  bool is_spent_ GUARDED_BY(mu_) = false;
  bool is_gone_ GUARDED_BY(mu_) = false;  // gives no more answers
};

class WorkerTemplates {
 public:
  // `most`: how many are kept; 0: there are none. Borrows the monitor.
  WorkerTemplates(WorkerMonitor* monitor, std::string program, size_t most);

  // The template of that interpreter and environment, started if there is none; null: none can be
  // had. Any thread but the monitor's.
  std::shared_ptr<WorkerTemplate> Get(const SpawnOptions& worker) EXCLUDES(mu_);

 private:
  struct Kept {
    std::string key;
    std::shared_ptr<WorkerTemplate> entry;
  };

  WorkerMonitor* const monitor_;
  const std::string program_;
  const size_t most_;
  Mutex mu_;  // held while one starts: others of the same kind wait for it
  std::list<Kept> kept_ GUARDED_BY(mu_);  // the last used first
};

}  // namespace pt::backend
