// Which interpreter a model's workers run with: the server's own, one that is named, or that of an
// environment (a directory, or an archive that is unpacked once).
//
// Thread rule: pure functions, but they read and write files and may take long.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/status.h"

namespace pt::backend {

struct WorkerEnvironment {
  std::string interpreter;
  std::vector<std::string> variables;  // "NAME=value", to be added
};

// From the model parameters PYTHON and EXECUTION_ENV_PATH ($$TRITON_MODEL_DIRECTORY is replaced).
// `interpreter`: without them; also unpacks archives. Errors: InvalidArgument, NotFound; the texts
// name the path.
Result<WorkerEnvironment> ResolveEnvironment(const std::map<std::string, std::string>& parameters,
                                             const std::string& model_dir,
                                             const std::string& interpreter);

}  // namespace pt::backend
