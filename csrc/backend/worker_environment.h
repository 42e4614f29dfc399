// Which interpreter a model's workers run with: the server's own, one that is named, or that of an
// environment (a directory, or an archive that is unpacked once).
//
// Thread rule: thread-safe; Resolve reads and writes files and may take long. Owner rule: owns the
// directories that archives were unpacked to; they go with it, or with the next server
// (base/kept_directory.h).
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/kept_directory.h"
#include "base/mutex.h"
#include "base/status.h"

namespace pt::backend {

struct WorkerEnvironment {
  std::string interpreter;
  std::vector<std::string> variables;  // "NAME=value", to be added
};

class WorkerEnvironments {
 public:
  // `interpreter`: for models that name none, and to run `program` (_unpack.py).
  WorkerEnvironments(std::string interpreter, std::string program, Duration limit);
  WorkerEnvironments(const WorkerEnvironments&) = delete;
  WorkerEnvironments& operator=(const WorkerEnvironments&) = delete;

  // From the model parameters PYTHON and EXECUTION_ENV_PATH ($$TRITON_MODEL_DIRECTORY is replaced).
  // Errors: InvalidArgument; the texts name the path, and what is wrong with an archive.
  Result<WorkerEnvironment> Resolve(const std::map<std::string, std::string>& parameters,
                                    const std::string& model_dir) EXCLUDES(mu_);

 private:
  // The directory that the archive at `path` was unpacked to, now or before.
  Result<std::string> Unpacked(const std::string& path) EXCLUDES(mu_);
  Status Unpack(const std::string& path, const std::string& directory);

  const std::string interpreter_;
  const std::string program_;
  const Duration limit_;
  Mutex mu_;  // held while one unpacks: a second load of the same archive waits for it
  std::unique_ptr<KeptDirectory> home_ GUARDED_BY(mu_);
  std::map<std::string, std::string> unpacked_ GUARDED_BY(mu_);  // by path, time and size
};

}  // namespace pt::backend
