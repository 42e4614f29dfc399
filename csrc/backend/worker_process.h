// WorkerProcess: one child process that runs one instance of a model: its messages, its death.
//
// Thread rule: Start and what it watches run on the monitor's thread. The ring is read by one
// thread at a time, the holder of `reader()`: the instance's thread while it executes or follows a
// loop, else the monitor when the worker rings. Owner rule: shared by the keeper, the monitor's
// callbacks and a running execution; the process ends with the last of them.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "backend/worker_asks.h"
#include "backend/worker_flights.h"
#include "backend/worker_loans.h"
#include "backend/worker_monitor.h"
#include "backend/worker_output.h"
#include "backend/worker_readiness.h"
#include "backend/worker_records.h"
#include "backend/worker_ring.h"
#include "backend/worker_spawn.h"
#include "base/block.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/shared_region.h"
#include "infer/worker_services.h"

namespace pt::backend {

class WorkerOrphans;
class WorkerTemplates;

// What all workers of a server share. Borrowed; outlives them.
struct WorkerHub {
  WorkerMonitor* monitor = nullptr;
  BlockPool* pool = nullptr;
  Logger* logger = nullptr;
  WorkerServices* services = nullptr;    // null: models can ask for nothing
  WorkerTemplates* templates = nullptr;  // null: each worker starts an interpreter
  WorkerOrphans* orphans = nullptr;      // null: what a model leaves behind goes on
};

struct WorkerSpec {
  SpawnOptions spawn;
  std::string instance_name;
  std::string label;  // "model:version:instance", for the log
};

class WorkerProcess : public std::enable_shared_from_this<WorkerProcess> {
 public:
  // Starts the child. `on_death` runs once on the monitor's thread, after requests were answered.
  // Any thread but the monitor's. Errors: Unavailable.
  static Result<std::shared_ptr<WorkerProcess>> Start(const WorkerHub& hub, const WorkerSpec& spec,
                                                      std::function<void()> on_death);
  WorkerProcess(const WorkerHub& hub, const WorkerSpec& spec);
  ~WorkerProcess();

  // Sends a command and waits for its reply. Any thread but the monitor's; one at a time. Errors:
  // Internal with the worker's text, or how it ended, or that it took longer than until `deadline`
  // (it is then killed).
  Result<std::string> Ask(ToWorker command, std::string_view payload, TimePoint deadline)
      EXCLUDES(reader_mu_, mu_);

  // Runs one batch. Returns at once when `may_leave` says so, else when the worker can take the
  // next one or `may_leave` has changed its mind (it is asked now and then). `patience`: called
  // when that takes long. Errors: the worker is dead, and nothing was taken from the batch.
  Status Execute(Batch* batch, FunctionRef<void()> patience, FunctionRef<bool()> may_leave)
      EXCLUDES(reader_mu_, mu_);

  // The instance's thread drives an event loop from now on, which watches `loop_bell` and calls
  // Read when it rings; before it waits, it calls Rest.
  void BeginFollowing() EXCLUDES(reader_mu_);
  void EndFollowing() EXCLUDES(reader_mu_, mu_);
  int loop_bell() const { return loop_bell_; }
  void Read() EXCLUDES(reader_mu_, mu_);
  // Whether the worker rings from now on without delay, or may leave that until it has no more to
  // do or was asked to be quick.
  enum class Ringing { kAtOnce, kSoon };
  // True: something was read.
  bool Rest(Ringing ringing) EXCLUDES(reader_mu_, mu_);
  // Stays awake until every batch has ended, for `limit` at most. False: it did not.
  bool KeepVigil(Duration limit) EXCLUDES(reader_mu_, mu_);
  // Hands a batch over without waiting for it. REQUIRES: between BeginFollowing and EndFollowing.
  // Errors: nothing was taken from the batch; the worker is dead, or holds too many requests.
  Status HandOver(Batch* batch) EXCLUDES(reader_mu_, mu_);
  // Whether it finds room for another batch, however large.
  bool has_room() const { return has_room_.load(std::memory_order_relaxed); }

  // Waits until nothing is with the worker any more and its last batch has ended, or it is dead.
  // Instance's thread only, after EndFollowing.
  void AwaitIdle() EXCLUDES(reader_mu_, mu_);

  // Nothing is with the worker.
  bool is_idle() const { return held_.load(std::memory_order_acquire) == 0; }
  bool is_dead() const { return is_dead_.load(std::memory_order_acquire); }
  // Batches that were sent and have not ended. Instance's thread only.
  uint32_t pending() const { return sent_ - done_.load(std::memory_order_acquire); }
  // How long a batch runs, its time for each request, and what it takes beside its requests, as the
  // worker says, smoothed.
  Duration run_time() const {
    return std::chrono::nanoseconds(run_ns_.load(std::memory_order_relaxed));
  }
  Duration request_time() const {
    return std::chrono::nanoseconds(request_ns_.load(std::memory_order_relaxed));
  }
  Duration fixed_time() const {
    return std::chrono::nanoseconds(fixed_ns_.load(std::memory_order_relaxed));
  }
  // What the model says of itself.
  WorkerReadiness* readiness() const { return readiness_.get(); }
  // How it ended. REQUIRES: is_dead().
  std::string death() const EXCLUDES(mu_);
  void Kill();
  // The model is loaded: whatever it made of its process, it stays so. Not on the monitor's thread.
  void NoteLoaded();

 private:
  Status Launch(const SpawnOptions& options) EXCLUDES(reader_mu_);
  void Watch();
  void OnBell();
  void OnOutput();
  void OnMaybeEnded();
  void Bury(const std::string& how) EXCLUDES(reader_mu_, mu_);
  bool Send(ToWorker type, std::string_view payload) REQUIRES(reader_mu_);
  // Handles what is there, or much of it: a worker that never stops must hold up nobody else.
  void Pump() REQUIRES(reader_mu_);
  // What it writes makes no sense: it is killed, once.
  void GiveUp(const char* fault) REQUIRES(reader_mu_);
  static void Ring(int bell);
  // False: there is more; nobody is rung for it.
  bool EndReading(bool* has_read) REQUIRES(reader_mu_);
  void StopReading() REQUIRES(reader_mu_);
  bool Handle(uint32_t type, std::string_view payload) REQUIRES(reader_mu_);
  BlockRef CopyElsewhere(std::string_view payload);
  // Writes the batch as a message and sends it.
  Status Put(Batch* batch, bool is_waited) REQUIRES(reader_mu_);
  void AwaitBatch(uint32_t sequence, FunctionRef<void()> patience, FunctionRef<bool()> may_leave)
      REQUIRES(reader_mu_);
  void AwaitDeath() EXCLUDES(mu_);
  bool OnBatchDone(std::string_view payload) REQUIRES(reader_mu_);
  void OnReply(std::string_view payload) EXCLUDES(mu_);

  const WorkerHub hub_;
  const std::string label_;
  const std::string instance_name_;
  std::function<void()> on_death_;
  std::shared_ptr<WorkerRing> ring_;
  std::shared_ptr<SharedRegion> results_;
  const std::shared_ptr<WorkerLoans> loans_;
  const std::shared_ptr<WorkerAsks> asks_;
  const std::shared_ptr<WorkerReadiness> readiness_;
  WorkerChild child_;
  int bell_ = -1;
  int loop_bell_ = -1;
  WorkerOutput output_;  // monitor's

  Mutex reader_mu_;  // before mu_
  std::unique_ptr<WorkerFlights> flights_ GUARDED_BY(reader_mu_);
  WorkerRecords records_ GUARDED_BY(reader_mu_);
  bool is_followed_ GUARDED_BY(reader_mu_) = false;
  bool is_broken_ GUARDED_BY(reader_mu_) = false;   // it wrote nonsense, and is being killed
  bool is_awaited_ GUARDED_BY(reader_mu_) = false;  // by AwaitIdle
  std::string message_ GUARDED_BY(reader_mu_);
  MessageWriter writer_ GUARDED_BY(reader_mu_);

  mutable Mutex mu_;
  CondVar changed_;
  bool has_reply_ GUARDED_BY(mu_) = false;
  bool reply_ok_ GUARDED_BY(mu_) = false;
  std::string reply_ GUARDED_BY(mu_);
  std::string death_ GUARDED_BY(mu_);
  std::atomic<bool> is_dead_{false};
  std::atomic<uint32_t> done_{0};
  std::atomic<size_t> held_{0};
  std::atomic<bool> has_room_{true};
  std::atomic<int64_t> run_ns_{Duration(WorkerRecords::kUnknown).count()};
  std::atomic<int64_t> request_ns_{Duration(WorkerRecords::kUnknown).count()};
  std::atomic<int64_t> fixed_ns_{0};
  uint32_t sent_ = 0;  // written by the instance's thread, under reader_mu_
};

}  // namespace pt::backend
