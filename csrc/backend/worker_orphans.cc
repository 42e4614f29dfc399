#include "backend/worker_orphans.h"

#include <signal.h>

namespace pt::backend {
namespace {

// For helpers that see by themselves that their parent has gone.
constexpr Duration kGrace = std::chrono::seconds(2);

}  // namespace

WorkerOrphans::~WorkerOrphans() {
  for (const pid_t group : groups_) kill(-group, SIGKILL);
}

void WorkerOrphans::Add(pid_t group) {
  if (group <= 1 || kill(-group, 0) != 0) return;  // nobody is left
  groups_.insert(group);
  monitor_->PostAt(std::chrono::steady_clock::now() + kGrace, [this, group] { End(group); });
}

void WorkerOrphans::End(pid_t group) {
  kill(-group, SIGKILL);
  groups_.erase(group);
}

}  // namespace pt::backend
