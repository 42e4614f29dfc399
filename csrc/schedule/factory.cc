#include "schedule/factory.h"

#include <utility>

#include "schedule/caching_scheduler.h"

namespace pt::schedule {
namespace {

Result<std::unique_ptr<Scheduler>> MakeUncached(const SchedulerDeps& deps) {
  switch (deps.model->config().scheduler) {
    case SchedulerKind::kDirect:
    case SchedulerKind::kDynamic:
      return std::unique_ptr<Scheduler>(std::make_unique<QueueScheduler>(deps));
  }
  return Unsupported("model '" + deps.model->name() + "' asks for an unknown scheduler");
}

}  // namespace

Result<std::unique_ptr<Scheduler>> MakeScheduler(const SchedulerDeps& deps) {
  const ModelConfig& config = deps.model->config();
  if (config.response_cache && config.is_decoupled) {
    return InvalidArgument("Response Cache does not currently support model " + config.name +
                           " with 'decoupled' transaction policy. Please disable the response "
                           "cache.");
  }
  PT_ASSIGN_OR_RETURN(std::unique_ptr<Scheduler> scheduler, MakeUncached(deps));
  if (!config.response_cache || deps.cache == nullptr) return scheduler;
  return std::unique_ptr<Scheduler>(
      std::make_unique<CachingScheduler>(deps.model, deps.clock, deps.cache, std::move(scheduler)));
}

}  // namespace pt::schedule
