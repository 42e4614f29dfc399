// QueueScheduler: one queue, several instance threads that pull batches from it. Serves models with
// a dynamic batcher and, with batches of one request, models without.
//
// An idle instance of a short model drives an event loop instead of sleeping (infer/loop_host.h).
// Thread rule: as for Scheduler. Owner rule: owns its instances and their threads; borrows the
// model, its backend, the clock, the alarm and the logger, which outlive it.
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/alarm.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mutex.h"
#include "infer/backend.h"
#include "infer/loop_host.h"
#include "infer/model.h"
#include "infer/scheduler.h"
#include "schedule/batch_policy.h"
#include "schedule/executor.h"
#include "schedule/request_queue.h"
#include "schedule/short_model.h"

namespace pt::schedule {

class ExclusiveGroup;
class ExclusiveGroups;
class ResponseCache;

// What a scheduler is given.
struct SchedulerDeps {
  Model* model = nullptr;
  Backend* backend = nullptr;
  const Clock* clock = nullptr;
  Alarm* alarm = nullptr;
  Logger* logger = nullptr;
  ResponseCache* cache = nullptr;               // null: none; used by models that ask for it
  ExclusiveGroups* exclusive_groups = nullptr;  // null: none
};

class QueueScheduler final : public Scheduler {
 public:
  explicit QueueScheduler(const SchedulerDeps& deps);
  ~QueueScheduler() override;

  Status Start() override EXCLUDES(mu_);
  void Submit(RequestList&& requests, LoopHost* host) override EXCLUDES(mu_);
  int64_t queued() const override EXCLUDES(mu_);
  bool CanHave(int count) const override;
  Status Prepare(const std::vector<int>& ordinals) override EXCLUDES(mu_);
  void Apply(const std::vector<int>& removed) override EXCLUDES(mu_);
  void TakeBack() override EXCLUDES(mu_);
  void Stop() override EXCLUDES(mu_);

 private:
  enum class Activity { kStarting, kBusy, kSleeping, kDriving };

  // What an instance is there for. Those that are kLeaving go on their own, those that are
  // kTakenBack are waited for.
  enum class Standing { kPrepared, kServing, kLeaving, kTakenBack };

  // One instance and its thread.
  struct Worker {
    int ordinal = 0;
    std::unique_ptr<BackendInstance> instance;
    CondVar wake;
    // Guarded by the scheduler's mu_:
    std::thread thread;
    Standing standing = Standing::kPrepared;
    Activity activity = Activity::kStarting;
    LoopHost* offered = nullptr;  // a loop released to this worker, not yet taken over
    LoopHost* host = nullptr;     // the loop this worker drives
    bool is_told = false;         // wake was signalled
  };

  enum class Next { kBatch, kIdle, kStop };

  void RunWorker(Worker* worker) EXCLUDES(mu_);
  Next TakeWork(Worker* worker, Batch* batch, uint64_t* ticket) EXCLUDES(mu_);
  void RunBatch(Worker* worker, Batch* batch, uint64_t ticket);
  void Drive(Worker* worker) EXCLUDES(mu_);
  void GoHome(Worker* worker) EXCLUDES(mu_);
  void Sleep(Worker* worker, TimePoint until) REQUIRES(mu_);
  // Sleeps for a moment, so that a loop can be offered: who always has work would never get one,
  // and each of its requests would travel between threads.
  void AwaitOffer(Worker* worker) REQUIRES(mu_);
  // Whether a worker that drives a loop has something better to do.
  bool HasWork(const Worker& worker) const EXCLUDES(mu_);
  bool CanTake(const Worker& worker) const REQUIRES(mu_);
  // How many requests the next batch of this worker may have.
  size_t ShareOf(const Worker& worker) const REQUIRES(mu_);
  bool IsShort() const { return hands_over_ || short_model_.is_short(); }
  Status StartWorker(Worker* worker) EXCLUDES(mu_);
  // Whether it must end.
  bool Ends(const Worker& worker) const REQUIRES(mu_) {
    return is_stopping_ || worker.standing > Standing::kServing;
  }
  // The end of a worker's thread. One that leaves is destroyed here.
  void EndWorker(Worker* worker) EXCLUDES(mu_);
  void Wake(Worker* worker) REQUIRES(mu_);

  // Has one idle worker look at the queue: one that sleeps (perhaps offering it `host`) or one that
  // drives a loop. The loop's own lock is taken under mu_, never the other way round; and a worker
  // that is kDriving can't return its loop meanwhile, so that the loop is there to be woken.
  void WakeOne(LoopHost* host) REQUIRES(mu_);
  void ArmAlarm() REQUIRES(mu_);
  void OnAlarm() EXCLUDES(mu_);
  void Answer(DroppedList* dropped);

  // What alarms hold: they may fire after this scheduler has gone.
  struct AlarmLink {
    Mutex mu;
    QueueScheduler* scheduler GUARDED_BY(mu) = nullptr;
  };

  const SchedulerDeps deps_;
  const BatchLimits limits_;
  const bool keeps_order_;
  // Null: this model's executions wait for nobody else's. With one, an instance never drives a
  // loop: it may have to wait before each batch.
  ExclusiveGroup* const exclusive_group_;
  // Instances that drive a loop go on doing so while their batches run elsewhere.
  const bool hands_over_;
  const std::shared_ptr<AlarmLink> alarm_link_;
  ShortModel short_model_;
  OrderedSender ordered_;

  mutable Mutex mu_;
  RequestQueue queue_ GUARDED_BY(mu_);
  // A loop at home has submitted when nobody slept to whom it could have been offered.
  bool has_spare_loop_ GUARDED_BY(mu_) = false;
  int offer_pause_ GUARDED_BY(mu_) = 0;  // batches until a worker waits for an offer again
  bool is_stopping_ GUARDED_BY(mu_) = false;
  int starting_ GUARDED_BY(mu_) = 0;
  Status start_status_ GUARDED_BY(mu_);
  CondVar started_;
  TimePoint alarm_at_ GUARDED_BY(mu_) = kNoDeadline;
  std::vector<std::unique_ptr<Worker>> workers_ GUARDED_BY(mu_);   // kServing
  std::vector<std::unique_ptr<Worker>> prepared_ GUARDED_BY(mu_);  // kPrepared
  std::vector<std::unique_ptr<Worker>> leaving_ GUARDED_BY(mu_);   // kLeaving
  CondVar left_;
  // Of those that have left; the next that leaves, the next change or Stop joins them.
  std::vector<std::thread> gone_ GUARDED_BY(mu_);
};

}  // namespace pt::schedule
