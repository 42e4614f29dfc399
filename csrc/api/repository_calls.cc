#include "api/repository_calls.h"

#include <utility>

namespace pt::api {

Result<repo::ModelControl*> ControlOf(const Service& service, std::string_view repository) {
  if (!repository.empty()) {
    return Unsupported("'repository_name' specification is not supported");
  }
  repo::ModelControl* control = service.repository().control();
  if (control != nullptr) return control;
  return Unavailable("explicit model load / unload is not allowed if polling is enabled");
}

void CollectIndex(const Service& service, bool ready_only, IndexDone done) {
  const repo::Repository* repository = &service.repository();
  auto collect = [repository, ready_only, done = std::move(done)](const Status&) {
    std::vector<repo::IndexEntry> index = repository->Index();
    if (ready_only) {
      std::erase_if(index, [](const repo::IndexEntry& entry) {
        return entry.state != repo::VersionState::kReady;
      });
    }
    done(std::move(index));
  };
  repo::ModelControl* control = repository->control();
  if (control == nullptr) return collect({});
  control->Refresh(std::move(collect));
}

Status UnknownLoadParameter(std::string_view name) {
  return Internal(
      "unexpected error on creating Triton parameter: expected 'config' or 'file:PATH', got '" +
      std::string(name) + "'");
}

}  // namespace pt::api
