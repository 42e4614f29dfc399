// The part of QueueScheduler by which instances come and go.
#include <algorithm>
#include <utility>

#include "schedule/queue_scheduler.h"

namespace pt::schedule {

Status QueueScheduler::Prepare(const std::vector<int>& ordinals) {
  std::vector<std::unique_ptr<Worker>> made;
  for (const int ordinal : ordinals) {
    PT_ASSIGN_OR_RETURN(auto instance, deps_.backend->CreateInstance(ordinal));
    auto worker = std::make_unique<Worker>();
    worker->ordinal = ordinal;
    worker->instance = std::move(instance);
    made.push_back(std::move(worker));
  }
  Status status;
  {
    MutexLock lock(&mu_);
    prepared_ = std::move(made);
    starting_ = static_cast<int>(prepared_.size());
    start_status_ = {};
    for (const auto& worker : prepared_) {
      worker->thread = std::thread([this, w = worker.get()] { RunWorker(w); });
    }
    while (starting_ > 0) started_.Wait(&mu_);
    status = start_status_;
  }
  if (!status.ok()) TakeBack();
  return status;
}

void QueueScheduler::TakeBack() {
  std::vector<std::unique_ptr<Worker>> workers;
  {
    MutexLock lock(&mu_);
    workers.swap(prepared_);
    for (const auto& worker : workers) {
      worker->standing = Standing::kTakenBack;
      worker->wake.NotifyOne();
    }
  }
  for (const auto& worker : workers) worker->thread.join();
}

void QueueScheduler::Apply(const std::vector<int>& removed) {
  std::vector<std::thread> gone;
  {
    MutexLock lock(&mu_);
    for (auto& worker : prepared_) {
      worker->standing = Standing::kServing;
      worker->wake.NotifyOne();
      workers_.push_back(std::move(worker));
    }
    prepared_.clear();
    for (auto& worker : workers_) {
      if (std::find(removed.begin(), removed.end(), worker->ordinal) == removed.end()) continue;
      worker->standing = Standing::kLeaving;
      Wake(worker.get());
      leaving_.push_back(std::move(worker));
    }
    std::erase(workers_, nullptr);
    // One that leaves may have been told of what waits, or have watched its time.
    if (queue_.size() > 0) WakeOne(nullptr);
    gone.swap(gone_);
  }
  for (std::thread& thread : gone) thread.join();  // they have ended, or are about to
}

void QueueScheduler::Wake(Worker* worker) {
  worker->wake.NotifyOne();
  if (worker->activity == Activity::kDriving) worker->host->Wake();
}

void QueueScheduler::EndWorker(Worker* worker) {
  bool is_leaving = false;
  {
    MutexLock lock(&mu_);
    is_leaving = worker->standing == Standing::kLeaving;
  }
  if (is_leaving) worker->instance->Settle();
  worker->instance->Stop();
  if (!is_leaving) return;
  worker->instance.reset();
  deps_.backend->Forget(worker->ordinal);
  std::vector<std::thread> before;
  {
    MutexLock lock(&mu_);
    before.swap(gone_);
    gone_.push_back(std::move(worker->thread));
    std::erase_if(leaving_, [worker](const auto& one) { return one.get() == worker; });
    left_.NotifyAll();
  }
  for (std::thread& thread : before) thread.join();
}

}  // namespace pt::schedule
