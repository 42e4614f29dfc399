// Repository: owns every Model of a server, publishes the router's table, and tells the index.
// Today models come from code (bound callables, embedded C++ callables); file sources join as
// further wish givers.
//
// Thread rule: thread-safe; AddModel and RemoveModel block until the model is ready or gone and
// must not be called on a loop or an instance thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "infer/backend.h"
#include "infer/model.h"
#include "repo/router.h"

namespace pt::repo {

enum class VersionState { kLoading, kReady, kUnloading, kUnavailable };

struct IndexEntry {
  std::string name;
  std::string version;
  VersionState state = VersionState::kUnavailable;
  std::string reason;
};

// Makes the scheduler of a model (schedule/ is a neighbour that this room must not know).
using SchedulerFactory = std::function<Result<std::unique_ptr<Scheduler>>(Model*, Backend*)>;

class Repository {
 public:
  explicit Repository(SchedulerFactory factory);
  ~Repository();  // removes every model

  // Loads `config` beside what serves, then publishes it. Errors: AlreadyExists when name and
  // version are served already; what the scheduler's start said otherwise (then nothing changed).
  Status AddModel(ModelConfig config, std::unique_ptr<Backend> backend) EXCLUDES(mu_);
  // Takes the version out of the router, waits until its last request was answered, stops it.
  Status RemoveModel(const std::string& name, int64_t version) EXCLUDES(mu_);

  const Router& router() const { return router_; }
  std::vector<IndexEntry> Index() const EXCLUDES(mu_);
  // Every wished model is ready (and there is no failed one).
  bool IsReady() const EXCLUDES(mu_);
  // Calls `visit` for each ready version, by name then version; the versions stay pinned meanwhile.
  void ForEachReady(const std::function<void(Model&)>& visit) const EXCLUDES(mu_);
  // Requests under way in all models.
  int64_t InFlight() const EXCLUDES(mu_);

 private:
  struct Entry;
  // The newest generation of that version, in any state; null when there is none.
  Entry* FindLocked(const std::string& name, int64_t version) const REQUIRES(mu_);
  void EraseLocked(const Entry* gone) REQUIRES(mu_);
  Result<std::unique_ptr<Model>> Load(ModelConfig config, uint64_t generation,
                                      std::unique_ptr<Backend> backend) const EXCLUDES(mu_);
  void PublishLocked() REQUIRES(mu_);

  const SchedulerFactory factory_;
  mutable Mutex mu_;
  std::vector<std::unique_ptr<Entry>> entries_ GUARDED_BY(mu_);
  uint64_t next_generation_ GUARDED_BY(mu_) = 1;
  Router router_;
};

}  // namespace pt::repo
