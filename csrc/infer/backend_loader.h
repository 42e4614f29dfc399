// BackendLoader: one load of one model version from a repository, as a backend carries it out. The
// repository finds the files and the configuration; what runs them is made here.
//
// Thread rule: a loader belongs to one load thread; its functions may block for long (they start
// processes, read files). BackendOpener may be called from any load thread.
// Owner rule: the load owns the loader; the Backend it makes outlives it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/status.h"
#include "infer/backend.h"
#include "infer/load_control.h"
#include "infer/model_config.h"

namespace pt {

// Where a version's files are. The directories belong to the load and stay until its Backend has
// gone: edits of the repository don't reach them.
struct VersionSource {
  std::string name;
  int64_t version = 1;
  uint64_t generation = 0;
  std::string backend;      // "python", "onnxruntime", "identity", ...
  std::string model_dir;    // absolute
  std::string version_dir;  // absolute; <model_dir>/<version>
  std::string model_file;   // `default_model_filename`; empty: the backend's own default
  std::map<std::string, std::string> parameters;  // of the configuration
  // Tells when the load is given up: what makes it wait must end then. Null: never.
  std::shared_ptr<LoadControl> control;
};

class BackendLoader {
 public:
  virtual ~BackendLoader() = default;
  // What the backend makes of the configuration, in Triton's JSON form (snake_case names, enums as
  // words, 64-bit integers as numbers). The same text when it has nothing to say. Called at most
  // once, before Create. Errors end the load; the text is the reason that clients see.
  virtual Result<std::string> CompleteConfig(const std::string& config_json) = 0;
  // REQUIRES: `config` is complete and was validated; config.document_json is its JSON form.
  virtual Result<std::unique_ptr<Backend>> Create(const ModelConfig& config) = 0;
};

// Errors: NotFound when nothing serves that backend; what the backend says otherwise.
using BackendOpener = std::function<Result<std::unique_ptr<BackendLoader>>(const VersionSource&)>;

}  // namespace pt
