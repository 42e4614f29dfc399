#include "repo/router.h"

#include <charconv>
#include <utility>

namespace pt::repo {
namespace {

std::string UnknownModel(std::string_view name) {
  return "Request for unknown model: '" + std::string(name) + "'";
}

Status BadVersion(std::string_view version, std::string_view details) {
  return InvalidArgument("failed to get model version from specified version string '" +
                         std::string(version) + "'" + std::string(details) +
                         ", version should be an integral value > 0");
}

Result<int64_t> ParseVersion(std::string_view text) {
  int64_t version = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version);
  if (error != std::errc() || end != text.data() + text.size()) {
    return BadVersion(text, " (details: stol)");
  }
  if (version < 0) return BadVersion(text, "");
  return version;
}

ModelHandle AcquireLatest(const NameEntry& entry) {
  for (auto at = entry.versions.rbegin(); at != entry.versions.rend(); ++at) {
    if (at->second.model == nullptr) continue;
    if (ModelHandle handle = at->second.model->Acquire()) return handle;
  }
  return {};
}

}  // namespace

Result<ModelHandle> Router::Find(std::string_view name, std::string_view version) const {
  const std::shared_ptr<const RouteTable> table = table_.Get();
  const auto named = table->find(name);
  if (named != table->end() && named->second.serving_models > 1) {
    return InvalidArgument("There are " + std::to_string(named->second.serving_models) +
                           " identifiers of model '" + std::string(name) +
                           "' in global map, model namespace must be provided to resolve "
                           "ambiguity.");
  }
  if (version.empty()) {
    if (named == table->end()) return NotFound(UnknownModel(name) + " is not found");
    if (ModelHandle handle = AcquireLatest(named->second)) return handle;
    return NotFound(UnknownModel(name) + " has no available versions");
  }
  PT_ASSIGN_OR_RETURN(const int64_t number, ParseVersion(version));
  const std::string of_version = " version " + std::to_string(number);
  if (named == table->end()) return NotFound(UnknownModel(name) + of_version + " is not found");
  const auto versioned = named->second.versions.find(number);
  if (versioned == named->second.versions.end()) {
    return NotFound(UnknownModel(name) + of_version + " is not found");
  }
  if (Model* model = versioned->second.model) {
    if (ModelHandle handle = model->Acquire()) return handle;
  }
  return Unavailable(UnknownModel(name) + of_version + " is not at ready state");
}

}  // namespace pt::repo
