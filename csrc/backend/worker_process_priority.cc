#include "backend/worker_priority.h"
#include "backend/worker_process.h"

namespace pt::backend {
namespace {

// How long a worker runs on what others leave: where they leave nothing, it must go on too.
constexpr Duration kBackgroundLimit = std::chrono::milliseconds(100);

}  // namespace

void WorkerProcess::NoteLoaded() {
  SetPriority(WorkerPriority::kNormal);
  hub_.monitor->Post([self = shared_from_this()] {
    if (!self->is_dead()) self->child_.Look();
  });
}

void WorkerProcess::SetPriority(WorkerPriority priority) {
  MutexLock lock(&priority_mu_);
  priority_ = priority;
  if (!is_dead()) backend::SetPriority(child_.pid(), priority);
  if (priority == WorkerPriority::kBackground) LimitBackground();
}

void WorkerProcess::LimitBackground() {
  const TimePoint end = std::chrono::steady_clock::now() + kBackgroundLimit;
  hub_.monitor->PostAt(end, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self || self->is_dead()) return;
    MutexLock lock(&self->priority_mu_);
    if (self->priority_ != WorkerPriority::kBackground) return;
    self->priority_ = WorkerPriority::kPatient;
    backend::SetPriority(self->child_.pid(), WorkerPriority::kPatient);
  });
}

}  // namespace pt::backend
