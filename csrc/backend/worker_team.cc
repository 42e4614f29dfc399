#include "backend/worker_team.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace pt::backend {

void WorkerTeam::Join(int ordinal, std::shared_ptr<WorkerKeeper> keeper) {
  MutexLock lock(&mu_);
  members_[ordinal].keeper = std::move(keeper);
  active_.fetch_add(1, std::memory_order_relaxed);
}

void WorkerTeam::Leave(int ordinal) {
  MutexLock lock(&mu_);
  const auto at = members_.find(ordinal);
  if (at == members_.end() || std::exchange(at->second.is_leaving, true)) return;
  active_.fetch_sub(1, std::memory_order_relaxed);
}

void WorkerTeam::Forget(int ordinal) {
  Leave(ordinal);
  Member gone;  // ends after the lock
  MutexLock lock(&mu_);
  const auto at = members_.find(ordinal);
  if (at == members_.end()) return;
  gone = std::move(at->second);
  members_.erase(at);
}

std::shared_ptr<WorkerKeeper> WorkerTeam::Find(int ordinal) const {
  MutexLock lock(&mu_);
  const auto at = members_.find(ordinal);
  return at == members_.end() ? nullptr : at->second.keeper;
}

void WorkerTeam::Abort() {
  std::vector<std::shared_ptr<WorkerKeeper>> keepers;
  {
    MutexLock lock(&mu_);
    for (const auto& [ordinal, member] : members_) keepers.push_back(member.keeper);
  }
  for (const auto& keeper : keepers) keeper->Abort();
}

Status WorkerTeam::Health() const {
  MutexLock lock(&mu_);
  Status first;
  for (const auto& [ordinal, member] : members_) {
    if (member.is_leaving) continue;
    Status status = member.keeper->Health();
    if (status.ok()) return status;
    if (first.ok()) first = std::move(status);
  }
  return first;
}

bool WorkerTeam::HasOther(int ordinal) const {
  MutexLock lock(&mu_);
  return std::any_of(members_.begin(), members_.end(), [ordinal](const auto& one) {
    return one.first != ordinal && !one.second.is_leaving && one.second.keeper->Health().ok();
  });
}

}  // namespace pt::backend
