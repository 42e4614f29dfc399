// MakeScheduler: model configuration -> scheduler. A new kind is a row here and a unit beside it.
//
// Thread rule: pure.
#pragma once

#include <memory>

#include "base/status.h"
#include "infer/scheduler.h"
#include "schedule/queue_scheduler.h"

namespace pt::schedule {

// Errors: Unsupported for a kind that has no scheduler.
Result<std::unique_ptr<Scheduler>> MakeScheduler(const SchedulerDeps& deps);

}  // namespace pt::schedule
