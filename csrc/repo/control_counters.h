// ControlCounters: what the repositories did, for the metrics.
//
// Thread rule: thread-safe. Owner rule: shared by the manager and unloads that outlive it.
#pragma once

#include "base/mutex.h"
#include "repo/model_control.h"
#include "repo/model_load.h"

namespace pt::repo {

class ControlCounters {
 public:
  void CountLoad(LoadOutcome::Kind kind) EXCLUDES(mu_) {
    MutexLock lock(&mu_);
    switch (kind) {
      case LoadOutcome::Kind::kLoaded:
        ++metrics_.loads;
        return;
      case LoadOutcome::Kind::kUnchanged:
        return;
      case LoadOutcome::Kind::kChanged:
        ++metrics_.discarded_loads;
        return;
      case LoadOutcome::Kind::kUnusable:
      case LoadOutcome::Kind::kFailed:
      case LoadOutcome::Kind::kCancelled:
        ++metrics_.failed_loads;
        return;
    }
  }

  void CountUnload(const UnloadReport& report) EXCLUDES(mu_) {
    MutexLock lock(&mu_);
    ++metrics_.unloads;
    metrics_.unload_resident_before = report.resident_before;
    metrics_.unload_resident_after = report.resident_after;
  }

  ControlMetrics Get() const EXCLUDES(mu_) {
    MutexLock lock(&mu_);
    return metrics_;
  }

 private:
  mutable Mutex mu_;
  ControlMetrics metrics_ GUARDED_BY(mu_);
};

}  // namespace pt::repo
