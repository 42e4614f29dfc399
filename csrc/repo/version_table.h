// VersionTable: every generation of every version, in one table: begins a load, publishes what is
// ready in one step, retires without waiting. It owns the Models and publishes the router's table.
//
// A generation goes kLoading -> kReady -> kUnloading -> kUnavailable, or kLoading -> kUnavailable.
// Several generations of one version live side by side: the ready one serves until the next is
// published; then it drains. Draining one never delays another.
//
// Models are told apart by their keys (model_key.h); the router and the index show names. The index
// keeps what was unloaded or has failed, but of each model only the kMaxTraces latest of these: who
// flips versions for years would fill it.
//
// Thread rule: thread-safe; nothing blocks but the destructor. Callbacks run without a lock.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/alarm.h"
#include "base/job_pool.h"
#include "base/mutex.h"
#include "base/status.h"
#include "infer/load_control.h"
#include "infer/model.h"
#include "repo/router.h"

namespace pt::repo {

enum class VersionState { kLoading, kReady, kUnloading, kUnavailable };

struct IndexEntry {
  std::string key;
  std::string name;
  std::string version;  // empty: the model as a whole
  VersionState state = VersionState::kUnavailable;
  std::string reason;
  // What is wrong beside the state: why a reload failed while this version serves on, why its
  // repository can't be read.
  std::string problem;
  bool has_state = true;  // false: a directory that nobody has asked to load
};

// Who wished for a version: code (bound callables), or files of a repository.
enum class Owner { kCode, kFiles };

// Versions that are unavailable, in the index of one model.
inline constexpr size_t kMaxTraces = 32;

// What stays of a version in the index when it has gone.
enum class Trace { kUnloaded, kNone };

struct ReadyVersion {
  uint64_t generation = 0;
  std::unique_ptr<Model> model;
  std::shared_ptr<const void> files;  // dropped after the model
};

struct Retirement {
  std::string key;
  std::vector<int64_t> versions;
  Trace trace = Trace::kUnloaded;
};

// How long the requests of a version that was retired may take; then they are given up, where its
// backend can do that.
struct DrainLimits {
  Alarm* alarm = nullptr;       // borrowed; null: there is no limit while the table lives
  Duration retired{0};          // 0: no limit
  std::optional<Duration> end;  // from the table's end on
};

class VersionTable {
 public:
  VersionTable();
  ~VersionTable();  // retires everything and waits until it is gone

  // Before anything is retired.
  void LimitDrains(const DrainLimits& limits) EXCLUDES(mu_);

  // A new generation, in kLoading. Errors: AlreadyExists when the other owner has that model, or
  // when code asks for a version that serves already.
  Result<uint64_t> Begin(const std::string& key, int64_t version, Owner owner) EXCLUDES(mu_);
  // The load failed: the version is kUnavailable with the reason, unless another generation serves.
  // Nothing happens to what isn't loading any more.
  void Fail(const std::string& key, uint64_t generation, const Status& reason) EXCLUDES(mu_);
  // The load ended without a trace. Nothing happens to what isn't loading any more.
  void Drop(const std::string& key, uint64_t generation) EXCLUDES(mu_);
  // In one step for lookups: what is ready serves, what it replaces and `retire` drains.
  void Publish(const std::string& key, std::vector<ReadyVersion> ready, const Retirement& retire)
      EXCLUDES(mu_);
  // Takes versions that serve out of the router; `gone` runs when the last of them has answered its
  // last request and is destroyed (at once when there is none). The number that is going.
  int Retire(const Retirement& retire, const std::function<void()>& gone) EXCLUDES(mu_);
  // Waits until nothing of that model drains. Errors: why `control` (may be null) was cancelled.
  Status AwaitDrained(const std::string& key, LoadControl* control) EXCLUDES(mu_);
  // Failed loads of that model are no longer held against it; kNone forgets what is unavailable.
  void Clear(const std::string& key, Trace trace) EXCLUDES(mu_);

  const Router& router() const { return router_; }
  // Pins what serves; empty when nothing does.
  ModelHandle Acquire(const std::string& key, int64_t version) EXCLUDES(mu_);
  std::vector<int64_t> ReadyVersions(const std::string& key) const EXCLUDES(mu_);
  // By name, then version; a version that serves is kReady whatever else loads.
  std::vector<IndexEntry> Index() const EXCLUDES(mu_);
  // No model that was wished for is without a version that serves.
  bool IsReady() const EXCLUDES(mu_);
  // By name, then version; `space` is the model's namespace, empty without.
  void ForEachReady(const std::function<void(Model& model, std::string_view space)>& visit) const
      EXCLUDES(mu_);
  int64_t InFlight() const EXCLUDES(mu_);
  int64_t InFlight(const std::string& key) const EXCLUDES(mu_);

 private:
  struct Entry;
  using Generations = std::vector<std::unique_ptr<Entry>>;
  using Hold = std::shared_ptr<const void>;

  static std::string_view NameOf(const std::string& key, const Generations& generations);
  Entry* FindLocked(const std::string& key, uint64_t generation) REQUIRES(mu_);
  Entry* ServingLocked(const std::string& key, int64_t version) REQUIRES(mu_);
  void EraseLocked(const Entry* gone) REQUIRES(mu_);
  void EraseOlderLocked(const Entry* newer) REQUIRES(mu_);
  // Keeps the latest kMaxTraces.
  void TrimTracesLocked(const std::string& key) REQUIRES(mu_);
  bool IsDrainingLocked(const std::string& key) const REQUIRES(mu_);
  // The hold must be dropped after the lock was left: that may start the drain.
  Hold RetireLocked(Entry* entry, Trace trace) REQUIRES(mu_);
  void BecomeReadyLocked(Entry* entry, ReadyVersion ready) REQUIRES(mu_);
  void PublishLocked() REQUIRES(mu_);
  void Drain(Entry* entry);
  void Finish(Entry* entry) EXCLUDES(mu_);
  void Abandon(const std::string& key, uint64_t generation) EXCLUDES(mu_);
  void AwaitRetired() EXCLUDES(mu_);

  mutable Mutex mu_;
  std::map<std::string, Generations> models_ GUARDED_BY(mu_);  // by key
  uint64_t next_generation_ GUARDED_BY(mu_) = 1;
  DrainLimits limits_ GUARDED_BY(mu_);
  int retiring_ GUARDED_BY(mu_) = 0;
  CondVar retired_;
  Router router_;
  JobPool pool_;  // last: its jobs use the rest
};

}  // namespace pt::repo
