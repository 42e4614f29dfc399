// Model: one served version: configuration, scheduler, statistics and the gate that counts its
// users. ModelHandle pins one version: while it lives, the version is neither stopped nor unloaded.
//
// Thread rule: thread-safe. Owner rule: the repository owns Models; handles borrow through the
// gate.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "base/gate.h"
#include "base/mutex.h"
#include "base/status.h"
#include "infer/model_config.h"
#include "infer/stats.h"

namespace pt {

class Scheduler;
class Backend;
class Model;

class ModelHandle {
 public:
  ModelHandle() = default;
  ModelHandle(ModelHandle&& other) noexcept : model_(std::exchange(other.model_, nullptr)) {}
  ModelHandle& operator=(ModelHandle&& other) noexcept {
    std::swap(model_, other.model_);
    return *this;
  }
  ~ModelHandle();

  Model* get() const { return model_; }
  Model& operator*() const { return *model_; }
  Model* operator->() const { return model_; }
  explicit operator bool() const { return model_ != nullptr; }
  // A second pin on the same version; works while the version drains. REQUIRES: not empty.
  ModelHandle Share() const;

 private:
  friend class Model;
  explicit ModelHandle(Model* model) : model_(model) {}
  Model* model_ = nullptr;
};

class Model {
 public:
  Model(ModelConfig config, uint64_t generation);
  ~Model();
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  // Before it is published: the scheduler that will run it and the backend its instances come from.
  void Attach(std::unique_ptr<Backend> backend, std::unique_ptr<Scheduler> scheduler);
  Status Start();

  // What it was made with. For its whole life, but for instance_groups and the documents, which may
  // change while it serves: these are asked of current_config.
  const ModelConfig& config() const { return config_; }
  // Valid as long as the model is pinned.
  std::shared_ptr<const ModelConfig> current_config() const EXCLUDES(mu_);
  // Publishes it. REQUIRES: it differs in instance_groups and documents only.
  void SetCurrentConfig(ModelConfig config) EXCLUDES(mu_);
  const std::string& name() const { return config_.name; }
  int64_t version() const { return config_.version; }
  // The version as the protocol writes it.
  const std::string& version_text() const { return version_text_; }
  uint64_t generation() const { return generation_; }
  Scheduler& scheduler() const { return *scheduler_; }
  Backend* backend() const { return backend_.get(); }
  ModelStats& stats() { return stats_; }
  const ModelStats& stats() const { return stats_; }

  // Whether it can execute now: false while every worker process of it is dead.
  bool is_healthy() const;

  // An empty handle once the version drains.
  ModelHandle Acquire();
  // Refuses new handles; `drained` runs once when the last handle went (on that thread: keep it
  // short).
  void Drain(std::function<void()> drained) { gate_.Close(std::move(drained)); }
  int64_t users() const { return gate_.entries(); }
  // Has requests under way fail, where the backend can do that. REQUIRES: it drains.
  void Abandon();
  // Ends the scheduler's threads. REQUIRES: not on an instance thread.
  void Stop();

 private:
  friend class ModelHandle;
  const ModelConfig config_;
  const std::string version_text_;
  const uint64_t generation_;
  mutable Mutex mu_;
  std::shared_ptr<const ModelConfig> current_ GUARDED_BY(mu_);  // null: still config_
  ModelStats stats_;
  Gate gate_;
  std::unique_ptr<Backend> backend_;  // outlives the scheduler, which owns its instances
  std::unique_ptr<Scheduler> scheduler_;
};

}  // namespace pt
