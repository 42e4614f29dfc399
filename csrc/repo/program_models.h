// ProgramModels: the models that the program itself adds (bound callables, C++ callables). They
// are the program's, not the clients': one that a client unloads stays known, and can be loaded
// again from the same callables, until the program removes it.
//
// Thread rule: thread-safe; Add, Remove and Load block and must not be called on a loop or an
// instance thread. Owner rule: borrows the table, which outlives it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "infer/backend.h"
#include "infer/load_control.h"
#include "infer/model_config.h"
#include "repo/scheduler_factory.h"
#include "repo/version_table.h"

namespace pt::repo {

// What runs a model of the program; asked again whenever it is loaded. Load threads.
using BackendMaker = std::function<Result<std::unique_ptr<Backend>>()>;

class ProgramModels {
 public:
  ProgramModels(SchedulerFactory factory, VersionTable* table);

  // As Repository::AddModel.
  Status Add(ModelConfig config, BackendMaker maker) EXCLUDES(mu_);
  // As Repository::RemoveModel.
  Status Remove(const std::string& name, int64_t version) EXCLUDES(mu_);

  bool Has(const std::string& name) const EXCLUDES(mu_);
  // Serves those versions of it that don't, all in one step, once what drains of the model has
  // ended: a callable never runs twice at once. Errors: what a version's start said, or why
  // `control` was cancelled; then nothing changed.
  Status Load(const std::string& name, LoadControl* control) EXCLUDES(mu_);

 private:
  struct Kept {
    ModelConfig config;
    BackendMaker maker;
  };
  using KeptRef = std::shared_ptr<const Kept>;  // a load goes on with what is removed meanwhile

  Status Start(const Kept& kept, std::vector<ReadyVersion>* ready);
  std::vector<KeptRef> VersionsOf(const std::string& name) const EXCLUDES(mu_);
  bool IsKept(const KeptRef& kept) const EXCLUDES(mu_);
  // Publishes what was started; what was removed meanwhile goes at once.
  void Publish(const std::string& name, std::vector<ReadyVersion> ready,
               const std::vector<KeptRef>& started) EXCLUDES(mu_);

  const SchedulerFactory factory_;
  VersionTable* const table_;
  mutable Mutex mu_;
  std::map<std::string, std::map<int64_t, KeptRef>> kept_ GUARDED_BY(mu_);  // by name, version
};

}  // namespace pt::repo
