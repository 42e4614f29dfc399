// Repository: all models of a server, in one router and one index: those that code adds (bound
// callables, embedded C++ callables) and those of model repositories (manager.h).
//
// Thread rule: thread-safe; AddModel and RemoveModel block until the model is ready or gone and
// must not be called on a loop or an instance thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "infer/backend.h"
#include "infer/model.h"
#include "repo/model_control.h"
#include "repo/program_models.h"
#include "repo/router.h"
#include "repo/scheduler_factory.h"
#include "repo/version_table.h"

namespace pt::repo {

class Repository {
 public:
  explicit Repository(SchedulerFactory factory);
  ~Repository();  // removes every model

  // Loads `config` beside what serves, then publishes it; a client that unloads it can load it
  // again. Errors: AlreadyExists when name and
  // version are served already, or the name by a model repository; what the scheduler's start said
  // otherwise (then nothing changed).
  Status AddModel(ModelConfig config, BackendMaker maker) {
    return program_.Add(std::move(config), std::move(maker));
  }
  // Takes the version out of the router, waits until its last request was answered, stops it.
  // Errors: NotFound when no such model was added.
  Status RemoveModel(const std::string& name, int64_t version) {
    return program_.Remove(name, version);
  }

  // Joins model repositories to this one. Before serving begins; null: none. Borrowed: must live
  // until this object goes, which ends it first.
  void Join(ModelControl* control) { control_ = control; }
  // What loads and unloads models from files; null when there are no model repositories.
  ModelControl* control() const { return control_; }

  VersionTable& table() { return table_; }
  ProgramModels& program() { return program_; }
  const Router& router() const { return table_.router(); }
  std::vector<IndexEntry> Index() const;
  // Every wished model is ready (and there is no failed one).
  bool IsReady() const;
  // Calls `visit` for each ready version, by name then version; the versions stay pinned meanwhile.
  void ForEachReady(const std::function<void(Model& model)>& visit) const {
    table_.ForEachReady([&visit](Model& model, std::string_view) { visit(model); });
  }
  // The same, with the namespace of each.
  void ForEachReadyIn(
      const std::function<void(Model& model, std::string_view space)>& visit) const {
    table_.ForEachReady(visit);
  }
  // Requests under way in all models.
  int64_t InFlight() const { return table_.InFlight(); }

 private:
  ModelControl* control_ = nullptr;
  VersionTable table_;
  ProgramModels program_;
};

}  // namespace pt::repo
