// Manager: carries out wishes for models: loads in the background on its threads, unloads, keeps
// what was said last about each model. It does not know control modes: sources (start, clients, the
// poller) give the wishes.
//
// One model's tasks run one after another, in order; different models' tasks side by side.
// Identical loads that wait are one task; a waiting load that asks for what just failed, with
// nothing changed since, shares that answer.
//
// Thread rule: thread-safe, nothing blocks but Close and the destructor. Callbacks run without a
// lock, on a load thread or on the caller's.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/job_pool.h"
#include "base/mutex.h"
#include "repo/control_counters.h"
#include "repo/model_load.h"

namespace pt::repo {

struct ManagerOptions {
  std::vector<std::string> repositories;
  int thread_count = 1;
};

// A standing wish counts for readiness until it is taken back; a client's request is answered.
enum class Wish { kRequest, kStanding };

using OutcomeDone = std::function<void(const LoadOutcome&)>;

class Manager {
 public:
  Manager(ManagerOptions options, LoadTools tools);
  ~Manager();  // Close without a deadline

  // Loads from where the repositories have the model now. REQUIRES: the name was checked.
  void Load(LoadRequest request, Wish wish, OutcomeDone done) EXCLUDES(mu_);
  // For watchers: exactly this tree of this directory. A standing wish.
  void LoadSettled(const std::string& name, const std::string& dir, Fingerprint settled,
                   OutcomeDone done) EXCLUDES(mu_);
  // kNone: also forgets that the model was there.
  void Unload(const std::string& name, Trace trace, UnloadDone done) EXCLUDES(mu_);
  // The model can't be used as it is on disk, for a reason that a source found; OK: it can.
  void SetProblem(const std::string& name, const Status& problem) EXCLUDES(mu_);

  // False when loads still run at `deadline`.
  bool AwaitIdle(TimePoint deadline) EXCLUDES(mu_);
  // Takes no more wishes; false when loads still run at `deadline`.
  bool Close(TimePoint deadline) EXCLUDES(mu_);

  // Models that something is known of, and what is wrong with each ("" when nothing is).
  std::map<std::string, std::string> Problems() const EXCLUDES(mu_);
  // A model of a standing wish serves nothing, for a reason that is not in the table.
  bool HasMissing() const EXCLUDES(mu_);
  ControlMetrics metrics() const { return counters_->Get(); }

 private:
  struct Task {
    LoadRequest request;
    std::string key;
    bool is_wished = false;
    std::string dir;  // given by a watcher; empty: to be found
    std::optional<Fingerprint> settled;
    std::vector<OutcomeDone> load_done;
    UnloadDone unload_done;  // set: this is an unload
    Trace trace = Trace::kUnloaded;
  };
  struct Record {
    std::optional<ServedModel> served;
    std::string problem;
    bool is_wished = false;  // counts for readiness
    std::deque<Task> waiting;
    bool is_busy = false;
  };

  void Enqueue(Task task) EXCLUDES(mu_);
  // Puts it into its model's line, or joins it to one that waits there. True: the model was idle
  // and the caller must run what waits.
  bool EnqueueLocked(Task* task) REQUIRES(mu_);
  void RunNext(const std::string& name) EXCLUDES(mu_);
  LoadOutcome RunLoad(const Task& task, const std::optional<ServedModel>& before);
  Status Find(const std::string& name, std::string* dir) const;
  void RunUnload(const Task& task) EXCLUDES(mu_);
  void Remember(const std::string& name, const LoadOutcome& outcome) EXCLUDES(mu_);
  // Takes the waiting loads that want what `task` has just failed at.
  void TakeFollowers(const Task& task, const LoadOutcome& outcome, std::vector<OutcomeDone>* done)
      EXCLUDES(mu_);

  const ManagerOptions options_;
  const LoadTools tools_;
  const std::shared_ptr<ControlCounters> counters_ = std::make_shared<ControlCounters>();
  mutable Mutex mu_;
  CondVar idle_;
  std::map<std::string, Record> records_ GUARDED_BY(mu_);
  int busy_ GUARDED_BY(mu_) = 0;
  bool is_closed_ GUARDED_BY(mu_) = false;
  JobPool pool_;  // last: its jobs use the rest
};

// What a client is told of an outcome.
Status ClientStatus(const std::string& name, const LoadOutcome& outcome);

}  // namespace pt::repo
