#include "backend/worker_pace.h"

#include <algorithm>
#include <utility>

namespace pt::backend {

using std::chrono::steady_clock;

WorkerPace::Ticket::Ticket(std::shared_ptr<WorkerPace> pace, Key key)
    : pace_(std::move(pace)), key_(std::move(key)) {
  MutexLock lock(&pace_->mu_);
  Version& version = pace_->models_[key_.model].versions[key_.version];
  ++version.serving;
  version.loaded = steady_clock::now();
}

WorkerPace::Ticket::~Ticket() {
  MutexLock lock(&pace_->mu_);
  const auto model = pace_->models_.find(key_.model);
  auto& versions = model->second.versions;
  const auto version = versions.find(key_.version);
  if (--version->second.serving > 0) return;
  versions.erase(version);
  model->second.ended = steady_clock::now();
  if (versions.empty()) pace_->models_.erase(model);
  pace_->changed_.NotifyAll();
}

void WorkerPace::Await(const Key& key) {
  MutexLock lock(&mu_);
  while (true) {
    const auto model = models_.find(key.model);
    if (model == models_.end()) return;
    TimePoint until = model->second.ended.value_or(TimePoint::min());
    const auto version = model->second.versions.find(key.version);
    if (version != model->second.versions.end()) until = std::max(until, version->second.loaded);
    if (until == TimePoint::min() || steady_clock::now() >= until + pause_) return;
    changed_.WaitUntil(&mu_, until + pause_);
  }
}

}  // namespace pt::backend
