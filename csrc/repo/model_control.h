// ModelControl: what clients may ask of a server's model repositories, whatever the control mode.
//
// Thread rule: thread-safe and never blocking: callable on a loop. Answers come on any thread, also
// at once on the caller's.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "repo/version_table.h"

namespace pt::repo {

struct LoadRequest {
  std::string name;
  std::string space;                         // the repository that is meant; empty: any
  std::optional<std::string> config;         // JSON: replaces the configuration file
  std::map<std::string, std::string> files;  // path below the model's directory -> bytes
  // Where it lies, when in no repository, as FindMappedModel takes it; its configuration may name
  // it otherwise. Empty: in a repository.
  std::string directory = {};
  std::string directory_root = {};
};

struct UnloadReport {
  // The model has gone; false: it still answers requests, and goes when it has.
  bool is_gone = true;
  uint64_t resident_before = 0;  // bytes of this process and its workers
  uint64_t resident_after = 0;   // 0 while it has not gone
};

// Counters of what the repositories did, for the metrics.
struct ControlMetrics {
  uint64_t loads = 0;
  uint64_t failed_loads = 0;
  uint64_t unloads = 0;
  uint64_t discarded_loads = 0;      // files changed while they were loaded
  uint64_t frozen_repositories = 0;  // now: can't be read
  uint64_t unload_resident_before = 0;
  uint64_t unload_resident_after = 0;
};

using LoadDone = std::function<void(const Status&)>;
using UnloadDone = std::function<void(const Result<UnloadReport>&)>;

class ModelControl {
 public:
  virtual ~ModelControl() = default;
  // Answers when the model is ready or has failed. Errors, in Triton's words: Unavailable when the
  // mode is not explicit, and when the load was given up (its time was over, the model was unloaded
  // meanwhile); Internal when the files were not usable; InvalidArgument when what they say could
  // not be loaded, and for uploads to paths outside of the model. The model that served before
  // serves on.
  virtual void Load(LoadRequest request, LoadDone done) = 0;
  // Answers when the model is gone, or at once when it still has requests to answer. Gives up loads
  // of it that are under way.
  virtual void Unload(const std::string& name, UnloadDone done) = 0;
  // Looks which models there are on disk (as a mode that doesn't watch needs to), then calls back.
  // Errors: a repository that can't be read.
  virtual void Refresh(LoadDone done) = 0;
  // Adds models without versions, and problems, to what the table knows.
  virtual void CompleteIndex(std::vector<IndexEntry>* index) const = 0;
  // The loads that the start asked for have ended, well or badly.
  virtual bool HasStarted() const = 0;
  // A model that was wished for is not even in the table.
  virtual bool HasMissing() const = 0;
  virtual ControlMetrics metrics() const = 0;
};

}  // namespace pt::repo
