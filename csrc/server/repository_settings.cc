#include "server/repository_settings.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace pt::server {
namespace {

using repo::ControlMode;
using repo::RepositoryOptions;

// Absolute, without a slash at the end; the same place twice is one repository.
Result<std::vector<std::string>> ReadPaths(const OptionValues& options) {
  std::vector<std::string> paths;
  for (const char* name : {"model-repository", "model-store"}) {
    for (const std::string& given : options.GetList(name)) {
      if (given.empty() || given.find("://") != std::string::npos) {
        return InvalidArgument("option --" + std::string(name) +
                               ": expected a directory of this machine, got '" + given +
                               (given.empty() ? "'" : "': models elsewhere must be copied here"));
      }
      std::error_code error;
      std::string path = std::filesystem::absolute(given, error).lexically_normal().string();
      if (error || path.empty()) path = given;
      while (path.size() > 1 && path.back() == '/') path.pop_back();
      if (std::find(paths.begin(), paths.end(), path) == paths.end()) paths.push_back(path);
    }
  }
  return paths;
}

ControlMode ReadMode(const OptionValues& options) {
  const std::string mode = options.GetString("model-control-mode");
  if (mode == "explicit") return ControlMode::kExplicit;
  return mode == "poll" ? ControlMode::kPoll : ControlMode::kNone;
}

Status CheckLoadModels(const RepositoryOptions& repositories) {
  const std::vector<std::string>& names = repositories.load_models;
  if (!names.empty() && repositories.mode != ControlMode::kExplicit) {
    return InvalidArgument(
        "Error: Use of '--load-model' requires setting '--model-control-mode=explicit' as well.");
  }
  if (names.size() > 1 && std::find(names.begin(), names.end(), "*") != names.end()) {
    return InvalidArgument(
        "creating server: Invalid argument - Wildcard model name '*' must be the ONLY startup "
        "model if specified at all.");
  }
  return {};
}

Result<Duration> ReadSettle(const OptionValues& options, Duration interval) {
  const Duration usual = std::min<Duration>(std::chrono::seconds(1), interval);
  if (!options.IsSet("repository-settle-secs")) return usual;
  const double seconds = options.GetDouble("repository-settle-secs");
  constexpr double kMost = 3600;
  if (!std::isfinite(seconds) || seconds < 0 || seconds > kMost) {
    return InvalidArgument("expected 0 to 3600 seconds for --repository-settle-secs");
  }
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

int ReadThreads(const OptionValues& options) {
  const int64_t wanted = options.GetInt("model-load-thread-count");
  if (wanted > 0) return static_cast<int>(std::min<int64_t>(wanted, 1024));
  return 2 * static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
}

}  // namespace

Result<RepositoryOptions> ReadRepositories(const OptionValues& options) {
  RepositoryOptions repositories;
  PT_ASSIGN_OR_RETURN(repositories.repositories, ReadPaths(options));
  repositories.mode = ReadMode(options);
  for (const std::string& name : options.GetList("load-model")) {
    std::vector<std::string>& names = repositories.load_models;
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  PT_RETURN_IF_ERROR(CheckLoadModels(repositories));
  if (options.IsSet("model-config-name") && options.GetString("model-config-name").empty()) {
    return InvalidArgument("Error: empty argument for --model-config-name");
  }
  repositories.poll_interval = std::chrono::seconds(options.GetInt("repository-poll-secs"));
  PT_ASSIGN_OR_RETURN(repositories.settle, ReadSettle(options, repositories.poll_interval));
  repositories.config_name = options.GetString("model-config-name");
  repositories.auto_complete =
      !options.GetBool("disable-auto-complete-config") && !options.GetBool("strict-model-config");
  repositories.thread_count = ReadThreads(options);
  repositories.load_limit = std::chrono::seconds(options.GetInt("model-load-timeout-secs"));
  repositories.unload_limit = std::chrono::seconds(options.GetInt("model-unload-timeout-secs"));
  repositories.namespacing =
      options.GetBool("model-namespacing") ? repo::Namespacing::kOn : repo::Namespacing::kOff;
  repositories.retry_count = static_cast<int>(options.GetInt("model-load-retry-count"));
  return repositories;
}

}  // namespace pt::server
