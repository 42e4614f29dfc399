#include "backend/worker_environment.h"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "backend/worker_spawn.h"

namespace pt::backend {
namespace {

constexpr std::string_view kHomePrefix = "pytriton-environments-";
constexpr size_t kLongestFault = 4096;
constexpr std::string_view kModelDirectory = "$$TRITON_MODEL_DIRECTORY";

std::string ReplaceModelDirectory(std::string path, const std::string& model_dir) {
  const size_t at = path.find(kModelDirectory);
  if (at != std::string::npos) path.replace(at, kModelDirectory.size(), model_dir);
  return path;
}

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

// What `activate` would set.
WorkerEnvironment Activated(const std::string& root) {
  WorkerEnvironment environment;
  environment.interpreter = root + "/bin/python";
  environment.variables.push_back("VIRTUAL_ENV=" + root);
  environment.variables.push_back("PATH=" + root + "/bin:" + Variable("PATH"));
  const std::string libraries = Variable("LD_LIBRARY_PATH");
  environment.variables.push_back("LD_LIBRARY_PATH=" + root + "/lib" +
                                  (libraries.empty() ? "" : ":" + libraries));
  environment.variables.push_back("PYTHONHOME=");
  return environment;
}

Result<WorkerEnvironment> OfDirectory(const std::string& root) {
  const std::string interpreter = root + "/bin/python";
  if (access(interpreter.c_str(), X_OK) != 0) {
    return InvalidArgument("expected an interpreter at '" + interpreter +
                           "' (parameter EXECUTION_ENV_PATH), got none that can be executed");
  }
  return Activated(root);
}

// The same for the same content, as far as one can tell without reading it.
std::string KeyOf(const std::string& path) {
  struct stat info{};
  stat(path.c_str(), &info);
  return path + "|" + std::to_string(info.st_mtim.tv_sec) + "." +
         std::to_string(info.st_mtim.tv_nsec) + "|" + std::to_string(info.st_size);
}

// What it prints, until its end or `deadline`.
std::string ReadAll(int fd, TimePoint deadline) {
  std::string text;
  char buffer[4096];
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    pollfd ready{fd, POLLIN, 0};
    if (left.count() <= 0 ||
        poll(&ready, 1, static_cast<int>(std::min<int64_t>(left.count(), 1000))) < 0) {
      return text;
    }
    const ssize_t count = read(fd, buffer, sizeof buffer);
    if (count == 0) return text;
    if (count > 0 && text.size() < kLongestFault) text.append(buffer, static_cast<size_t>(count));
  }
}

}  // namespace

WorkerEnvironments::WorkerEnvironments(std::string interpreter, std::string program, Duration limit)
    : interpreter_(std::move(interpreter)), program_(std::move(program)), limit_(limit) {
  KeptDirectory::Sweep("", kHomePrefix);  // they are large
}

Status WorkerEnvironments::Unpack(const std::string& path, const std::string& directory) {
  WorkerChild child;
  SpawnOptions options;
  options.interpreter = interpreter_;
  options.program = program_;
  options.environment = {"PYTRITON_ARCHIVE=" + path, "PYTRITON_TARGET=" + directory};
  PT_RETURN_IF_ERROR(child.Spawn(options));
  const TimePoint deadline = std::chrono::steady_clock::now() + limit_;
  std::string fault = ReadAll(child.output(), deadline);
  if (std::chrono::steady_clock::now() >= deadline) child.Kill();
  const std::string how = child.Await();
  if (how == "exit status 0") return {};
  while (!fault.empty() && fault.back() == '\n') fault.pop_back();
  return InvalidArgument(
      "expected EXECUTION_ENV_PATH to name an archive that can be unpacked, got '" + path +
      "': " + (fault.empty() ? how : fault));
}

Result<std::string> WorkerEnvironments::Unpacked(const std::string& path) {
  MutexLock lock(&mu_);
  const std::string key = KeyOf(path);
  const auto known = unpacked_.find(key);
  if (known != unpacked_.end()) return known->second;
  std::error_code error;
  if (!home_) {
    PT_ASSIGN_OR_RETURN(home_, KeptDirectory::Create("", kHomePrefix));
  }
  const std::string directory = home_->path() + "/" + std::to_string(unpacked_.size());
  std::filesystem::create_directory(directory, error);
  const Status status = Unpack(path, directory);
  if (!status.ok()) {
    std::filesystem::remove_all(directory, error);
    return status;
  }
  unpacked_[key] = directory;
  return directory;
}

Result<WorkerEnvironment> WorkerEnvironments::Resolve(
    const std::map<std::string, std::string>& parameters, const std::string& model_dir) {
  WorkerEnvironment environment;
  environment.interpreter = interpreter_;
  const auto named = parameters.find("PYTHON");
  if (named != parameters.end()) {
    environment.interpreter = ReplaceModelDirectory(named->second, model_dir);
    if (access(environment.interpreter.c_str(), X_OK) != 0) {
      return InvalidArgument("expected parameter PYTHON to name an interpreter, got '" +
                             environment.interpreter + "', which can't be executed");
    }
    return environment;
  }
  const auto given = parameters.find("EXECUTION_ENV_PATH");
  if (given == parameters.end()) return environment;
  const std::string path = ReplaceModelDirectory(given->second, model_dir);
  std::error_code error;
  const std::filesystem::path root = std::filesystem::canonical(path, error);
  if (error) return InvalidArgument("Failed to get the canonical path for " + path + ".");
  if (std::filesystem::is_directory(root, error)) return OfDirectory(root.string());
  PT_ASSIGN_OR_RETURN(const std::string directory, Unpacked(root.string()));
  return OfDirectory(directory);
}

}  // namespace pt::backend
