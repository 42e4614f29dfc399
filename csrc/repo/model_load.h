// ModelLoad: one load of one model from files, from the first look at its directory to versions
// that are ready to be published. All versions of a load succeed together or none is kept. A load
// that is given up (LoadControl) publishes nothing, whenever what it waits for returns.
//
// Thread rule: runs on a load thread and may take long; takes no lock while it calls a backend.
// Owner rule: borrows everything for the call.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/status.h"
#include "infer/backend_loader.h"
#include "infer/load_control.h"
#include "repo/config_document.h"
#include "repo/fingerprint.h"
#include "repo/model_control.h"
#include "repo/model_files.h"
#include "repo/program_models.h"
#include "repo/scheduler_factory.h"
#include "repo/transition_policy.h"
#include "repo/version_table.h"

namespace pt::repo {

// What every load of a server works with.
struct LoadTools {
  BackendOpener opener;
  SchedulerFactory factory;
  VersionTable* table = nullptr;
  ProgramModels* program = nullptr;  // null: the program has none
  FilesArea* area = nullptr;
  Logger* logger = nullptr;
  std::string config_name;
  bool auto_complete = true;
  int retry_count = 0;
  std::vector<int> gpus;  // numbers of the devices that models may use
};

struct LoadSource {
  std::string key;  // in the table
  std::string dir;  // the model's directory; empty: there is none, only uploaded files
  LoadRequest request;
  // Loads nothing else than this tree, and only if it is still the same when the load is over.
  std::optional<Fingerprint> settled;
  std::shared_ptr<LoadControl> control;  // not null
};

// What a model is served from.
struct ServedModel {
  Fingerprint fingerprint;
  std::string content_key;  // of uploaded files and configuration; empty: the directory's
  std::string config_json;
  std::vector<int64_t> versions;
  bool is_uploaded = false;  // from files that a client sent
  std::string directory;     // what a client named instead of the repository's
  std::shared_ptr<const ConfigDocument> document;  // as it was read
};

// Tells uploads apart; empty for a request without any.
std::string ContentKey(const LoadRequest& request);

struct LoadOutcome {
  enum class Kind {
    kLoaded,
    kUnchanged,  // served already
    kUnusable,   // files or configuration: nothing was begun
    kFailed,     // the backend said no
    kChanged,    // files changed meanwhile: try again
    kCancelled,  // given up
  };
  Kind kind = Kind::kUnusable;
  Status reason;                           // of kUnusable, kFailed, kChanged, kCancelled
  int64_t failed_version = 0;              // of kFailed
  bool lacks_version = false;              // of kUnusable: nothing else is wrong
  std::optional<Fingerprint> fingerprint;  // of the tree that was looked at
  ServedModel served;                      // of kLoaded
};

// `before` is what serves now, null when nothing does.
LoadOutcome LoadModel(const LoadTools& tools, const LoadSource& source, const ServedModel* before);
// A client's load of a model that the program added. kUnchanged also when it serves again.
LoadOutcome LoadModelOfProgram(const LoadTools& tools, const LoadSource& source);

}  // namespace pt::repo
