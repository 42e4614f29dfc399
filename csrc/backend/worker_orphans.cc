#include "backend/worker_orphans.h"

#include <errno.h>
#include <signal.h>

namespace pt::backend {
namespace {

// For helpers that see by themselves that their parent has gone.
constexpr Duration kGrace = std::chrono::seconds(2);

// The leader was reaped. Its number is given to a new process only when the group is empty: whoever
// bears it now is a stranger, and so is all of a group by that name.
void EndGroup(pid_t group) {
  const bool is_anothers = kill(group, 0) == 0 || errno != ESRCH;
  if (!is_anothers) kill(-group, SIGKILL);
}

}  // namespace

WorkerOrphans::~WorkerOrphans() {
  for (const pid_t group : groups_) EndGroup(group);
}

void WorkerOrphans::Add(pid_t group) {
  if (group <= 1 || kill(-group, 0) != 0) return;  // nobody is left
  groups_.insert(group);
  monitor_->PostAt(std::chrono::steady_clock::now() + kGrace, [this, group] { End(group); });
}

void WorkerOrphans::End(pid_t group) {
  EndGroup(group);
  groups_.erase(group);
}

}  // namespace pt::backend
