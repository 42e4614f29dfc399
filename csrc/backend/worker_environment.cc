#include "backend/worker_environment.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace pt::backend {
namespace {

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

Result<WorkerEnvironment> OfDirectory(const std::string& path) {
  std::error_code error;
  const std::filesystem::path root = std::filesystem::canonical(path, error);
  if (error) {
    return InvalidArgument("Failed to get the canonical path for " + path + ".");
  }
  if (!std::filesystem::is_directory(root, error)) {
    return Unsupported("expected EXECUTION_ENV_PATH to name a directory, got the file '" +
                       root.string() + "': unpack the archive and name its directory");
  }
  const std::string interpreter = root.string() + "/bin/python";
  if (access(interpreter.c_str(), X_OK) != 0) {
    return InvalidArgument("expected an interpreter at '" + interpreter +
                           "' (parameter EXECUTION_ENV_PATH), got none that can be executed");
  }
  return Activated(root.string());
}

}  // namespace

Result<WorkerEnvironment> ResolveEnvironment(const std::map<std::string, std::string>& parameters,
                                             const std::string& model_dir,
                                             const std::string& interpreter) {
  const auto named = parameters.find("PYTHON");
  if (named != parameters.end()) {
    WorkerEnvironment environment;
    environment.interpreter = ReplaceModelDirectory(named->second, model_dir);
    if (access(environment.interpreter.c_str(), X_OK) != 0) {
      return InvalidArgument("expected parameter PYTHON to name an interpreter, got '" +
                             environment.interpreter + "', which can't be executed");
    }
    return environment;
  }
  const auto path = parameters.find("EXECUTION_ENV_PATH");
  if (path != parameters.end()) {
    return OfDirectory(ReplaceModelDirectory(path->second, model_dir));
  }
  WorkerEnvironment environment;
  environment.interpreter = interpreter;
  return environment;
}

}  // namespace pt::backend
