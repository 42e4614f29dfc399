#include "infer/model.h"

#include <utility>

#include "infer/backend.h"
#include "infer/scheduler.h"

namespace pt {

ModelHandle::~ModelHandle() {
  if (model_ != nullptr) model_->gate_.Leave();
}

ModelHandle ModelHandle::Share() const {
  model_->gate_.EnterAgain();
  return ModelHandle(model_);
}

Model::Model(ModelConfig config, uint64_t generation)
    : config_(std::move(config)),
      version_text_(std::to_string(config_.version)),
      generation_(generation) {}

Model::~Model() { Stop(); }

void Model::Attach(std::unique_ptr<Backend> backend, std::unique_ptr<Scheduler> scheduler) {
  backend_ = std::move(backend);
  scheduler_ = std::move(scheduler);
}

Status Model::Start() {
  if (!scheduler_) return Internal("model '" + name() + "' has no scheduler");
  return scheduler_->Start();
}

std::shared_ptr<const ModelConfig> Model::current_config() const {
  MutexLock lock(&mu_);
  if (current_) return current_;
  return {std::shared_ptr<const void>(), &config_};
}

void Model::SetCurrentConfig(ModelConfig config) {
  auto current = std::make_shared<const ModelConfig>(std::move(config));
  MutexLock lock(&mu_);
  current_.swap(current);
}

bool Model::is_healthy() const { return backend_ == nullptr || backend_->Health().ok(); }

ModelHandle Model::Acquire() { return gate_.TryEnter() ? ModelHandle(this) : ModelHandle(); }

void Model::Abandon() {
  if (backend_) backend_->Abandon();
}

void Model::Stop() {
  // Coroutines and streams still use the instances: they end first.
  if (backend_) backend_->Drain();
  if (scheduler_) scheduler_->Stop();
}

}  // namespace pt
