#include "repo/program_models.h"

#include <algorithm>
#include <utility>

#include "repo/event.h"

namespace pt::repo {

namespace {

Result<std::unique_ptr<Model>> Make(const SchedulerFactory& factory, const ModelConfig& config,
                                    const BackendMaker& maker, uint64_t generation) {
  std::unique_ptr<Backend> backend;
  if (maker) {
    PT_ASSIGN_OR_RETURN(backend, maker());
  }
  return StartModel(factory, config, generation, std::move(backend), "");
}

}  // namespace

ProgramModels::ProgramModels(SchedulerFactory factory, VersionTable* table)
    : factory_(std::move(factory)), table_(table) {}

Status ProgramModels::Start(const Kept& kept, std::vector<ReadyVersion>* ready) {
  const ModelConfig& config = kept.config;
  PT_ASSIGN_OR_RETURN(const uint64_t generation,
                      table_->Begin(config.name, config.version, Owner::kCode));
  Result<std::unique_ptr<Model>> model = Make(factory_, kept.config, kept.maker, generation);
  if (!model.ok()) {
    table_->Fail(config.name, generation, model.status());
    return model.status();
  }
  ready->push_back({generation, std::move(model).value(), nullptr});
  return {};
}

Status ProgramModels::Add(ModelConfig config, BackendMaker maker) {
  const std::string name = config.name;
  const int64_t version = config.version;
  const auto kept = std::make_shared<const Kept>(Kept{std::move(config), std::move(maker)});
  std::vector<ReadyVersion> ready;
  PT_RETURN_IF_ERROR(Start(*kept, &ready));
  KeptRef before;  // dropped without the lock: it may hold callables
  {
    MutexLock lock(&mu_);
    before = std::exchange(kept_[name][version], kept);
  }
  Publish(name, std::move(ready), {kept});
  return {};
}

void ProgramModels::Publish(const std::string& name, std::vector<ReadyVersion> ready,
                            const std::vector<KeptRef>& started) {
  table_->Publish(name, std::move(ready), {});
  for (const KeptRef& kept : started) {
    if (IsKept(kept)) continue;
    table_->Retire({name, {kept->config.version}, Trace::kUnloaded}, nullptr);
  }
}

Status ProgramModels::Remove(const std::string& name, int64_t version) {
  KeptRef removed;
  {
    MutexLock lock(&mu_);
    const auto named = kept_.find(name);
    if (named != kept_.end()) {
      const auto at = named->second.find(version);
      if (at != named->second.end()) {
        removed = std::move(at->second);
        named->second.erase(at);
      }
      if (named->second.empty()) kept_.erase(named);
    }
  }
  if (removed == nullptr) {
    return NotFound("model '" + name + "' version " + std::to_string(version) + " is not served");
  }
  const auto gone = std::make_shared<Event>();
  table_->Retire({name, {version}, Trace::kUnloaded}, [gone] { gone->Happen(); });
  gone->Wait();
  return table_->AwaitDrained(name, nullptr);  // a client may have unloaded it before
}

bool ProgramModels::Has(const std::string& name) const {
  MutexLock lock(&mu_);
  return kept_.count(name) > 0;
}

std::vector<ProgramModels::KeptRef> ProgramModels::VersionsOf(const std::string& name) const {
  MutexLock lock(&mu_);
  std::vector<KeptRef> versions;
  const auto named = kept_.find(name);
  if (named == kept_.end()) return versions;
  versions.reserve(named->second.size());
  for (const auto& [version, kept] : named->second) versions.push_back(kept);
  return versions;
}

bool ProgramModels::IsKept(const KeptRef& kept) const {
  MutexLock lock(&mu_);
  const auto named = kept_.find(kept->config.name);
  if (named == kept_.end()) return false;
  const auto at = named->second.find(kept->config.version);
  return at != named->second.end() && at->second == kept;
}

Status ProgramModels::Load(const std::string& name, LoadControl* control) {
  PT_RETURN_IF_ERROR(table_->AwaitDrained(name, control));
  const std::vector<int64_t> serving = table_->ReadyVersions(name);
  std::vector<ReadyVersion> ready;
  std::vector<KeptRef> started;
  Status status;
  for (const KeptRef& kept : VersionsOf(name)) {
    if (std::binary_search(serving.begin(), serving.end(), kept->config.version)) continue;
    status = Start(*kept, &ready);
    if (!status.ok()) break;
    started.push_back(kept);
  }
  // From here on nobody can give it up.
  if (status.ok() && !control->Finish()) status = control->cancelled().value_or(Status());
  if (status.ok()) {
    Publish(name, std::move(ready), started);
    return {};
  }
  std::vector<uint64_t> begun;
  begun.reserve(ready.size());
  for (const ReadyVersion& version : ready) begun.push_back(version.generation);
  ready.clear();
  for (const uint64_t generation : begun) table_->Drop(name, generation);
  return status;
}

}  // namespace pt::repo
