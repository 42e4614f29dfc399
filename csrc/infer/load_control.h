// LoadControl: how one load of a model is given up while it is under way: its time was over, the
// model was unloaded meanwhile, the server stops. Whoever asked for the load goes on at once; what
// still works on it is told to end, and whatever it brings is dropped.
//
// A load is over exactly once, as finished or as cancelled.
//
// Thread rule: thread-safe. Owner rule: shared by whoever may cancel and by what works on the load.
#pragma once

#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/status.h"

namespace pt {

class LoadControl {
 public:
  // Why the load is given up; empty while it isn't. Not for hot paths.
  std::optional<Status> cancelled() const EXCLUDES(mu_) {
    MutexLock lock(&mu_);
    return reason_;
  }

  // `stop` runs when the load is cancelled, on that thread (at once when it is already): short, and
  // safe until this object goes. It is dropped unused when the load finishes.
  void OnCancel(std::function<void(const Status& reason)> stop) EXCLUDES(mu_) {
    {
      MutexLock lock(&mu_);
      if (is_finished_) return;
      if (!reason_) return stops_.push_back(std::move(stop));
    }
    stop(*cancelled());
  }

  // False when it was over before. Returns after what OnCancel was given has run.
  bool Cancel(const Status& reason) EXCLUDES(mu_) {
    std::vector<std::function<void(const Status&)>> stops;
    {
      MutexLock lock(&mu_);
      if (is_finished_ || reason_) return false;
      reason_ = reason;
      stops.swap(stops_);
      changed_.NotifyAll();
    }
    for (const auto& stop : stops) stop(reason);
    return true;
  }

  // The load is over, well or badly. False when it was cancelled before: then nothing of it counts.
  bool Finish() EXCLUDES(mu_) {
    std::vector<std::function<void(const Status&)>> dropped;
    MutexLock lock(&mu_);
    is_finished_ = !reason_;
    dropped.swap(stops_);
    return is_finished_;
  }

  // Waits until `deadline`. Errors: the reason, as soon as the load is cancelled.
  Status WaitUntil(TimePoint deadline) const EXCLUDES(mu_) {
    MutexLock lock(&mu_);
    while (!reason_) {
      if (!changed_.WaitUntil(&mu_, deadline)) break;
    }
    return reason_.value_or(Status());
  }

 private:
  mutable Mutex mu_;
  mutable CondVar changed_;
  bool is_finished_ GUARDED_BY(mu_) = false;
  std::optional<Status> reason_ GUARDED_BY(mu_);
  std::vector<std::function<void(const Status&)>> stops_ GUARDED_BY(mu_);
};

}  // namespace pt
