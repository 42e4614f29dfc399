#include "repo/repository.h"

#include <algorithm>
#include <utility>

#include "repo/event.h"

namespace pt::repo {

Repository::Repository(SchedulerFactory factory) : factory_(std::move(factory)) {}

Repository::~Repository() = default;

Status Repository::AddModel(ModelConfig config, std::unique_ptr<Backend> backend) {
  const std::string name = config.name;
  PT_ASSIGN_OR_RETURN(const uint64_t generation, table_.Begin(name, config.version, Owner::kCode));
  Result<std::unique_ptr<Model>> model =
      StartModel(factory_, std::move(config), generation, std::move(backend), "");
  if (!model.ok()) {
    table_.Fail(name, generation, model.status());
    return model.status();
  }
  std::vector<ReadyVersion> ready(1);
  ready[0].generation = generation;
  ready[0].model = std::move(model).value();
  table_.Publish(name, std::move(ready), {});
  return {};
}

Status Repository::RemoveModel(const std::string& name, int64_t version) {
  const auto gone = std::make_shared<Event>();
  if (table_.Retire({name, {version}, Trace::kUnloaded}, [gone] { gone->Happen(); }) == 0) {
    return NotFound("model '" + name + "' version " + std::to_string(version) + " is not served");
  }
  gone->Wait();
  return {};
}

std::vector<IndexEntry> Repository::Index() const {
  std::vector<IndexEntry> index = table_.Index();
  if (control_ != nullptr) control_->CompleteIndex(&index);
  return index;
}

bool Repository::IsReady() const {
  if (control_ != nullptr && (!control_->HasStarted() || control_->HasMissing())) return false;
  return table_.IsReady();
}

}  // namespace pt::repo
