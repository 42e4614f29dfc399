#include "repo/scheduler_factory.h"

#include <utility>

#include "repo/warmup.h"

namespace pt::repo {

Result<std::unique_ptr<Model>> StartModel(const SchedulerFactory& factory, ModelConfig config,
                                          uint64_t generation, std::unique_ptr<Backend> backend,
                                          const std::string& model_dir) {
  auto model = std::make_unique<Model>(std::move(config), generation);
  backend = WithWarmUp(std::move(backend), model.get(), model_dir);
  PT_ASSIGN_OR_RETURN(std::unique_ptr<Scheduler> scheduler, factory(model.get(), backend.get()));
  model->Attach(std::move(backend), std::move(scheduler));
  PT_RETURN_IF_ERROR(model->Start());
  return model;
}

}  // namespace pt::repo
