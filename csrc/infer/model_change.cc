#include "infer/model_change.h"

#include <utility>

#include "infer/scheduler.h"

namespace pt {

bool ModelChange::IsPossible(const Model& model, const ModelConfig& config) {
  if (model.current_config()->instance_groups == config.instance_groups) return true;
  return model.backend() != nullptr && model.backend()->CanChange() &&
         model.scheduler().CanHave(config.instance_count());
}

ModelChange::ModelChange(ModelHandle model, ModelConfig config)
    : model_(std::move(model)), config_(std::move(config)) {}

Result<std::unique_ptr<ModelChange>> ModelChange::Prepare(
    ModelHandle model, ModelConfig config, const std::shared_ptr<LoadControl>& control) {
  auto change = std::unique_ptr<ModelChange>(new ModelChange(std::move(model), std::move(config)));
  PT_RETURN_IF_ERROR(change->Start(control));
  return change;
}

Status ModelChange::Start(const std::shared_ptr<LoadControl>& control) {
  if (model_->current_config()->instance_groups == config_.instance_groups) return {};
  PT_ASSIGN_OR_RETURN(instances_, model_->backend()->PlanChange(config_, control));
  if (instances_.added.empty()) return {};
  return model_->scheduler().Prepare(instances_.added);
}

void ModelChange::Commit() {
  is_committed_ = true;
  for (const int ordinal : instances_.removed) model_->backend()->OnLeaving(ordinal);
  if (model_->backend() != nullptr) model_->backend()->OnChanged(config_);
  model_->SetCurrentConfig(std::move(config_));
  model_->scheduler().Apply(instances_.removed);
}

void ModelChange::TakeBack() {
  if (instances_.added.empty()) return;
  model_->scheduler().TakeBack();
  for (const int ordinal : instances_.added) model_->backend()->Forget(ordinal);
}

ModelChange::~ModelChange() {
  if (!is_committed_) TakeBack();
}

}  // namespace pt
