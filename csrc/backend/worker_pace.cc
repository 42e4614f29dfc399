#include "backend/worker_pace.h"

#include <utility>

namespace pt::backend {

using std::chrono::steady_clock;

WorkerPace::Ticket::Ticket(std::shared_ptr<WorkerPace> pace, std::string key)
    : pace_(std::move(pace)), key_(std::move(key)) {
  MutexLock lock(&pace_->mu_);
  Version& version = pace_->versions_[key_];
  ++version.serving;
  version.loaded = steady_clock::now();
}

WorkerPace::Ticket::~Ticket() {
  MutexLock lock(&pace_->mu_);
  const auto version = pace_->versions_.find(key_);
  if (--version->second.serving > 0) return;
  pace_->versions_.erase(version);
  pace_->changed_.NotifyAll();
}

void WorkerPace::Await(const std::string& key) {
  MutexLock lock(&mu_);
  while (true) {
    const auto version = versions_.find(key);
    if (version == versions_.end()) return;
    const TimePoint until = version->second.loaded + pause_;
    if (steady_clock::now() >= until) return;
    changed_.WaitUntil(&mu_, until);
  }
}

}  // namespace pt::backend
