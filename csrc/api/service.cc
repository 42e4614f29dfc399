#include "api/service.h"

#include <algorithm>
#include <utility>

#include "api/tracer.h"

namespace pt::api {

Service::Service(ServiceOptions options, repo::Repository* repository, Logger* logger)
    : options_(std::move(options)),
      repository_(repository),
      logger_(logger),
      extensions_{"classification",  "model_repository",    "model_repository(unload_dependents)",
                  "schedule_policy", "model_configuration", "binary_tensor_data",
                  "parameters",      "statistics",          "logging"} {}

void Service::AllowClientMemory(RegionTable* regions, HasDevices has_devices) {
  regions_ = regions;
  std::vector<std::string> added{"system_shared_memory"};
  if (has_devices == HasDevices::kYes) added.emplace_back("cuda_shared_memory");
  const auto after = std::find(extensions_.begin(), extensions_.end(), "binary_tensor_data");
  extensions_.insert(after, added.begin(), added.end());
}

void Service::AllowTracing(Tracer* tracer) {
  tracer_ = tracer;
  extensions_.insert(std::find(extensions_.begin(), extensions_.end(), "logging"), "trace");
}

Tracer* Service::ActiveTracer() const {
  return tracer_ != nullptr && tracer_->is_on() ? tracer_ : nullptr;
}

bool Service::is_ready() const {
  if (!is_live() || is_draining()) return false;
  return !options_.strict_readiness || repository_->IsReady();
}

Result<ModelHandle> Service::FindModel(std::string_view name, std::string_view version) const {
  return repository_->router().Find(name, version);
}

void Service::Infer(RequestPtr request, const CallContext& context) {
  PT_VLOG(
      logger_, 1, request->id,
      "infer: model '" + request->model().name() + "' version " + request->model().version_text());
  context.round->Add(std::move(request));
}

}  // namespace pt::api
