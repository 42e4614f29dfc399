// WorkerReadiness: what a model says of itself when it is asked whether it is ready (`is_ready`).
// Asked now and then, so that whoever wants to know waits for nobody.
//
// Thread rule: thread-safe. Owner rule: shared by its process; borrows the monitor.
#pragma once

#include <memory>
#include <string_view>

#include "backend/worker_asks.h"
#include "backend/worker_monitor.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/status.h"

namespace pt::backend {

class WorkerReadiness : public std::enable_shared_from_this<WorkerReadiness> {
 public:
  WorkerReadiness(WorkerMonitor* monitor, std::shared_ptr<WorkerAsks> asks)
      : monitor_(monitor), asks_(std::move(asks)) {}

  // From now on the model is asked, as long as this lives.
  void Watch();
  // It has answered; empty: it is ready.
  void OnAnswer(std::string_view reason) EXCLUDES(mu_);
  // Why it isn't; OK otherwise, and while it was never asked.
  Status status() const EXCLUDES(mu_);

 private:
  void Ask() EXCLUDES(mu_);

  WorkerMonitor* const monitor_;
  const std::shared_ptr<WorkerAsks> asks_;
  mutable Mutex mu_;
  Status status_ GUARDED_BY(mu_);
  bool is_asked_ GUARDED_BY(mu_) = false;  // and has not answered
  TimePoint asked_since_ GUARDED_BY(mu_);
};

}  // namespace pt::backend
