// How a loaded model gets what runs it: schedule/ is a neighbour that this room must not know.
//
// Thread rule: a SchedulerFactory is called on any thread that loads a model.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/status.h"
#include "infer/backend.h"
#include "infer/model.h"
#include "infer/scheduler.h"

namespace pt::repo {

using SchedulerFactory = std::function<Result<std::unique_ptr<Scheduler>>(Model*, Backend*)>;

// A model that runs and has warmed up, not yet published. `model_dir`: where its files are, empty
// for a model without files. Errors: what its scheduler or its start said.
Result<std::unique_ptr<Model>> StartModel(const SchedulerFactory& factory, ModelConfig config,
                                          uint64_t generation, std::unique_ptr<Backend> backend,
                                          const std::string& model_dir);

}  // namespace pt::repo
