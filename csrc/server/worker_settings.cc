#include "server/worker_settings.h"

#include <dlfcn.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

namespace pt::server {
namespace {

namespace fs = std::filesystem;

// The package's directory of backends: beside this library, or in the package tree of a build.
std::string FindBackends() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&FindBackends), &info) == 0) return {};
  std::error_code error;
  const fs::path home = fs::canonical(info.dli_fname, error).parent_path();
  for (const fs::path& candidate : {home / "backends", home / "python/pytriton/backends"}) {
    if (fs::exists(candidate / "_worker.py", error)) return candidate.string();
  }
  return {};
}

struct BackendSetting {
  std::string backend;  // empty: all
  std::string key;
  std::string value;
};

// Errors: InvalidArgument, in Triton's words.
Result<BackendSetting> Parse(const std::string& text) {
  BackendSetting setting;
  const size_t comma = text.find(',');
  const size_t equals = text.find('=');
  const size_t begin = comma == std::string::npos || comma > equals ? 0 : comma + 1;
  if (begin == 1) {
    return InvalidArgument(
        "No backend specified. --backend-config option format is <backend name>,<setting>=<value> "
        "or <setting>=<value>. Got " +
        text);
  }
  const bool is_whole = equals != std::string::npos && equals > begin && equals + 1 < text.size();
  if (!is_whole || text.find('\n') != std::string::npos) {
    return InvalidArgument(
        "--backend-config option format is '<backend name>,<setting>=<value>'. Got " + text);
  }
  if (begin > 0) setting.backend = text.substr(0, comma);
  setting.key = text.substr(begin, equals - begin);
  setting.value = text.substr(equals + 1);
  return setting;
}

Result<int64_t> ParseCount(const BackendSetting& setting) {
  int64_t number = 0;
  const char* end = setting.value.data() + setting.value.size();
  const auto [stop, error] = std::from_chars(setting.value.data(), end, number);
  if (error == std::errc() && stop == end) return number;
  return InvalidArgument("expected a number for --backend-config " + setting.key + ", got '" +
                         setting.value + "'");
}

// Settings of the python backend. Sizes are hints that nobody needs here; they are checked all the
// same.
Status Apply(const BackendSetting& setting, backend::WorkerBackendOptions* workers) {
  const std::string& key = setting.key;
  if (key == "python-executable") {
    workers->interpreter = setting.value;
  } else if (key == "stub-timeout-seconds") {
    PT_ASSIGN_OR_RETURN(const int64_t seconds, ParseCount(setting));
    if (seconds <= 0) {
      return InvalidArgument("stub-timeout-seconds can't be smaller than or equal to zero.");
    }
    workers->load_limit = std::chrono::seconds(std::min<int64_t>(seconds, 1000000));
    workers->finalize_limit = workers->load_limit;
  } else if (key == "shm-default-byte-size") {
    PT_ASSIGN_OR_RETURN(const int64_t bytes, ParseCount(setting));
    if (bytes < (1 << 20)) {
      return InvalidArgument("shm-default-byte-size can't be smaller than 4 MiBs");
    }
  } else if (key == "shm-growth-byte-size") {
    PT_ASSIGN_OR_RETURN(const int64_t bytes, ParseCount(setting));
    if (bytes <= 0) {
      return InvalidArgument("shm-growth-byte-size can't be smaller than or equal to zero.");
    }
  } else if (key == "thread-pool-size") {
    PT_ASSIGN_OR_RETURN(const int64_t threads, ParseCount(setting));
    if (threads < 1) return InvalidArgument("thread-pool-size can't be less than 1.");
  }
  return {};
}

}  // namespace

Result<backend::WorkerBackendOptions> ReadWorkers(const OptionValues& options) {
  backend::WorkerBackendOptions workers;
  const std::string backends = FindBackends();
  workers.program = backends + "/_worker.py";
  workers.interpreter = options.GetString("python-executable");
  if (workers.interpreter.empty()) workers.interpreter = "python3";
  workers.templates = static_cast<size_t>(options.GetInt("worker-templates"));
  workers.roots = {options.GetString("backend-directory"), backends};
  for (const std::string& text : options.GetList("backend-config")) {
    PT_ASSIGN_OR_RETURN(const BackendSetting setting, Parse(text));
    workers.settings[setting.backend][setting.key] = setting.value;
    if (setting.key == "default-max-batch-size") {
      PT_ASSIGN_OR_RETURN(const int64_t size, ParseCount(setting));
      if (size < 0 || size > INT32_MAX) {
        return InvalidArgument("expected a size from 0 for --backend-config " + setting.key +
                               ", got " + setting.value);
      }
    }
    if (!setting.backend.empty() && setting.backend != "python") continue;
    PT_RETURN_IF_ERROR(Apply(setting, &workers));
  }
  return workers;
}

}  // namespace pt::server
