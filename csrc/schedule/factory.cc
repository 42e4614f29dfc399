#include "schedule/factory.h"

namespace pt::schedule {

Result<std::unique_ptr<Scheduler>> MakeScheduler(const SchedulerDeps& deps) {
  switch (deps.model->config().scheduler) {
    case SchedulerKind::kDirect:
    case SchedulerKind::kDynamic:
      return std::unique_ptr<Scheduler>(std::make_unique<QueueScheduler>(deps));
  }
  return Unsupported("model '" + deps.model->name() + "' asks for an unknown scheduler");
}

}  // namespace pt::schedule
