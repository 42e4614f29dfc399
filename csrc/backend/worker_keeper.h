// WorkerKeeper: keeps one worker process of a model instance running: loads the model in it, and
// starts another one when it dies.
//
// Thread rule: thread-safe, but Complete, Load and Stop come from one thread at a time; others
// from any. Functions that wait say so. Owner rule: shared by its instance and, weakly, by the
// processes' callbacks.
#pragma once

#include <memory>
#include <string>
#include <thread>

#include "backend/worker_process.h"
#include "base/clock.h"
#include "base/function_ref.h"
#include "base/mutex.h"

namespace pt::backend {

// How long a model may take before it counts as hung and its process is killed.
struct WorkerLimits {
  Duration load{0};
  Duration finalize{0};
};

class WorkerKeeper : public std::enable_shared_from_this<WorkerKeeper> {
 public:
  WorkerKeeper(const WorkerHub& hub, WorkerSpec spec, WorkerLimits limits);
  ~WorkerKeeper();

  // Starts a process and has the model complete its configuration in it; the process is then kept
  // for Load. Waits. Errors: Internal, with the text that clients see.
  Result<std::string> Complete(std::string_view setup, std::string_view config);
  // Loads the model; from now on a dead process is replaced, with the same arguments until
  // SetArguments gives others. Waits. Errors: as for Complete.
  Status Load(std::string setup, std::string arguments) EXCLUDES(mu_);
  void SetArguments(std::string arguments) EXCLUDES(mu_);

  // The process to use. While a new one is being started it waits (and calls `patience` first).
  // Errors: Internal when the last attempt to start one has failed, or after Stop.
  Result<std::shared_ptr<WorkerProcess>> Wait(FunctionRef<void()> patience) EXCLUDES(mu_);
  // The process that has the model loaded; null: none has.
  std::shared_ptr<WorkerProcess> current() const EXCLUDES(mu_);
  // Waits for another process, a failed attempt or Stop, but not longer than `limit`.
  void WaitForChange(Duration limit) EXCLUDES(mu_);
  // Why the model can't be asked now; OK otherwise.
  Status Health() const EXCLUDES(mu_);
  // Has the model finalized and ends the process. Waits for that as long as the limit allows.
  void Stop() EXCLUDES(mu_);
  // Kills whatever process there is and starts no other: what waits for it ends with an error.
  void Abort() EXCLUDES(mu_);

 private:
  enum class State { kEmpty, kReady, kReplacing, kStopped };

  Status StartProcess() EXCLUDES(mu_);
  Status LoadInto(WorkerProcess* process) EXCLUDES(mu_);
  void OnDeath(const WorkerProcess* process) EXCLUDES(mu_);
  void Replace() EXCLUDES(mu_);
  bool WaitForTurn(int attempt) EXCLUDES(mu_);
  TimePoint Deadline() const { return std::chrono::steady_clock::now() + limits_.load; }

  const WorkerHub hub_;
  const WorkerSpec spec_;
  const WorkerLimits limits_;
  std::string setup_;                        // constant after Load
  std::shared_ptr<WorkerProcess> starting_;  // by whoever loads

  mutable Mutex mu_;
  CondVar changed_;
  std::string arguments_ GUARDED_BY(mu_);
  State state_ GUARDED_BY(mu_) = State::kEmpty;
  std::shared_ptr<WorkerProcess> process_ GUARDED_BY(mu_);
  std::weak_ptr<WorkerProcess> newest_ GUARDED_BY(mu_);  // for Abort
  bool is_aborted_ GUARDED_BY(mu_) = false;
  Status last_error_ GUARDED_BY(mu_);
  int failures_ GUARDED_BY(mu_) = 0;      // attempts in a row that failed
  int quick_deaths_ GUARDED_BY(mu_) = 0;  // in a row
  TimePoint ready_since_ GUARDED_BY(mu_);
  std::thread replacer_ GUARDED_BY(mu_);
};

}  // namespace pt::backend
