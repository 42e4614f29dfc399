#include "api/rest_routes.h"

#include <algorithm>
#include <array>

#include "api/rest_handlers.h"
#include "api/rest_reply.h"

namespace pt::api {
namespace {

using enum ApiGroup;

constexpr RestRoute Get(ApiGroup group, std::string_view pattern, RestHandler handler,
                        std::string_view type) {
  return {group, pattern, handler, nullptr, type, false};
}
constexpr RestRoute Post(ApiGroup group, std::string_view pattern, RestHandler handler,
                         std::string_view type) {
  return {group, pattern, nullptr, handler, type, false};
}
constexpr RestRoute Both(ApiGroup group, std::string_view pattern, RestHandler get,
                         RestHandler post) {
  return {group, pattern, get, post, kJsonType, false};
}
constexpr RestRoute Infer(std::string_view pattern) {
  return {kInference, pattern, nullptr, HandleInfer, kPlainType, true};
}

// Rows are tried in order: the busiest first, and "stats" before a model of that name.
constexpr std::array kRoutes = {
    Infer("/v2/models/{model}/infer"),
    Infer("/v2/models/{model}/versions/{version}/infer"),
    Get(kHealth, "/v2/health/live", HandleLive, kPlainType),
    Get(kHealth, "/v2/health/ready", HandleReady, kPlainType),
    Post(kInference, "/v2/models/{model}/generate", HandleGenerate, kJsonType),
    Post(kInference, "/v2/models/{model}/versions/{version}/generate", HandleGenerate, kJsonType),
    Post(kInference, "/v2/models/{model}/generate_stream", HandleGenerateStream, kJsonType),
    Post(kInference, "/v2/models/{model}/versions/{version}/generate_stream", HandleGenerateStream,
         kJsonType),
    Get(kStatistics, "/v2/models/stats", HandleStatistics, kJsonType),
    Get(kStatistics, "/v2/models/{model}/stats", HandleStatistics, kJsonType),
    Get(kStatistics, "/v2/models/{model}/versions/{version}/stats", HandleStatistics, kJsonType),
    Get(kHealth, "/v2/models/{model}/ready", HandleModelReady, kPlainType),
    Get(kHealth, "/v2/models/{model}/versions/{version}/ready", HandleModelReady, kPlainType),
    Get(kModelConfig, "/v2/models/{model}/config", HandleModelConfig, kJsonType),
    Get(kModelConfig, "/v2/models/{model}/versions/{version}/config", HandleModelConfig, kJsonType),
    Both(kTrace, "/v2/models/{model}/trace/setting", HandleTraceSetting, HandleUpdateTraceSetting),
    Get(kMetadata, "/v2/models/{model}", HandleModelMetadata, kJsonType),
    Get(kMetadata, "/v2/models/{model}/versions/{version}", HandleModelMetadata, kJsonType),
    Get(kMetadata, "/v2", HandleServerMetadata, kJsonType),
    Both(kTrace, "/v2/trace/setting", HandleTraceSetting, HandleUpdateTraceSetting),
    Both(kLogging, "/v2/logging", HandleLogging, HandleUpdateLogging),
    Post(kModelRepository, "/v2/repository/index", HandleIndex, kJsonType),
    Post(kModelRepository, "/v2/repository/{repository}/index", HandleIndex, kJsonType),
    Post(kModelRepository, "/v2/repository/models/{model}/load", HandleLoad, kJsonType),
    Post(kModelRepository, "/v2/repository/{repository}/models/{model}/load", HandleLoad,
         kJsonType),
    Post(kModelRepository, "/v2/repository/models/{model}/unload", HandleUnload, kJsonType),
    Post(kModelRepository, "/v2/repository/{repository}/models/{model}/unload", HandleUnload,
         kJsonType),
    Get(kSharedMemory, "/v2/systemsharedmemory/status", HandleSystemMemoryStatus, kJsonType),
    Get(kSharedMemory, "/v2/systemsharedmemory/region/{region}/status", HandleSystemMemoryStatus,
        kJsonType),
    Post(kSharedMemory, "/v2/systemsharedmemory/register", HandleSystemMemoryRegister, kJsonType),
    Post(kSharedMemory, "/v2/systemsharedmemory/region/{region}/register",
         HandleSystemMemoryRegister, kJsonType),
    Post(kSharedMemory, "/v2/systemsharedmemory/unregister", HandleSystemMemoryUnregister,
         kJsonType),
    Post(kSharedMemory, "/v2/systemsharedmemory/region/{region}/unregister",
         HandleSystemMemoryUnregister, kJsonType),
    Get(kSharedMemory, "/v2/cudasharedmemory/status", HandleCudaMemoryStatus, kJsonType),
    Get(kSharedMemory, "/v2/cudasharedmemory/region/{region}/status", HandleCudaMemoryStatus,
        kJsonType),
    Post(kSharedMemory, "/v2/cudasharedmemory/register", HandleCudaMemoryRegister, kJsonType),
    Post(kSharedMemory, "/v2/cudasharedmemory/region/{region}/register", HandleCudaMemoryRegister,
         kJsonType),
    Post(kSharedMemory, "/v2/cudasharedmemory/unregister", HandleCudaMemoryUnregister, kJsonType),
    Post(kSharedMemory, "/v2/cudasharedmemory/region/{region}/unregister",
         HandleCudaMemoryUnregister, kJsonType),
};

bool IsNumber(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Puts `part` where the variable `name` says.
bool Capture(std::string_view name, std::string_view part, RestPath* path) {
  if (part.empty()) return false;
  switch (name.front()) {
    case 'm':
      path->model = part;
      return true;
    case 'v':
      path->version = part;
      return IsNumber(part);
    default:
      (name == "region" ? path->region : path->repository) = part;
      return true;
  }
}

bool Matches(std::string_view pattern, std::string_view text, RestPath* path) {
  while (!pattern.empty()) {
    const size_t open = std::min(pattern.find('{'), pattern.size());
    const std::string_view literal = pattern.substr(0, open);
    if (text.substr(0, open) != literal) return false;
    text.remove_prefix(open);
    pattern.remove_prefix(open);
    if (pattern.empty()) break;
    const size_t close = pattern.find('}');
    const std::string_view part = text.substr(0, text.find('/'));
    if (!Capture(pattern.substr(1, close - 1), part, path)) return false;
    text.remove_prefix(part.size());
    pattern.remove_prefix(close + 1);
  }
  return text.empty();
}

}  // namespace

std::string_view PathOfTarget(std::string_view target) {
  if (target.empty() || target.front() != '/') {
    const size_t scheme = target.find("://");
    if (scheme == std::string_view::npos) return target;
    target.remove_prefix(scheme + 3);
    const size_t slash = target.find('/');
    if (slash == std::string_view::npos) return "/";
    target.remove_prefix(slash);
  }
  return target.substr(0, target.find('?'));
}

const RestRoute* FindRoute(std::string_view target, RestPath* path) {
  std::string_view text = PathOfTarget(target);
  // PyTriton prints its URLs with a slash at the end.
  if (text.ends_with('/')) text.remove_suffix(1);
  for (const RestRoute& route : kRoutes) {
    *path = {};
    if (Matches(route.pattern, text, path)) return &route;
  }
  return nullptr;
}

}  // namespace pt::api
