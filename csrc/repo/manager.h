// Manager: carries out wishes for models: loads in the background on its threads, unloads, keeps
// what was said last about each model. It does not know control modes: sources (start, clients, the
// poller) give the wishes.
//
// One model's tasks run one after another, in order; different models' tasks side by side.
// Identical loads that wait are one task; a waiting load that asks for what just failed, with
// nothing changed since, shares that answer.
//
// No load holds up anything for ever: one that takes long leaves its place to others (JobPool), and
// one that takes longer than its limit, whose model is unloaded, or that the server's end finds
// under way, is given up. The model goes on at once; the thread that waits for a backend comes back
// when that backend returns, and what it brings is dropped.
//
// Models are told apart by their keys (model_key.h).
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

#include "base/alarm.h"
#include "base/clock.h"
#include "base/job_pool.h"
#include "base/mutex.h"
#include "infer/load_control.h"
#include "repo/control_counters.h"
#include "repo/layout.h"
#include "repo/load_report.h"
#include "repo/model_key.h"
#include "repo/model_load.h"

namespace pt::repo {

struct ManagerOptions {
  std::vector<std::string> repositories;
  int thread_count = 1;
  // Loads that have run this long no longer count as one of `thread_count`.
  Duration patience = std::chrono::seconds(10);
  Duration load_limit{0};  // 0: a load may take for ever
  Alarm* alarm = nullptr;  // borrowed; null: no limit
  // From the end of a load to the next one of the same model while it serves: who reloads in a loop
  // would otherwise take from the requests what they need of the cores.
  Duration rest = std::chrono::milliseconds(20);
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
  void LoadSettled(const ModelPlace& place, Fingerprint settled, OutcomeDone done) EXCLUDES(mu_);
  // Gives up loads of it that run or wait. kNone: also forgets that the model was there.
  void Unload(const std::string& key, Trace trace, UnloadDone done) EXCLUDES(mu_);
  // The model can't be used as it is on disk, for a reason that a source found; OK: it can.
  void SetProblem(const std::string& key, const Status& problem) EXCLUDES(mu_);

  // False when loads still run at `deadline`.
  bool AwaitIdle(TimePoint deadline) EXCLUDES(mu_);
  // Gives up what runs and waits, and refuses loads until Resume, which begins again what the start
  // had wished for.
  void Pause() EXCLUDES(mu_);
  void Resume() EXCLUDES(mu_);
  // Gives up what runs and waits, and takes no more wishes; false when something still runs at
  // `deadline`.
  bool Close(TimePoint deadline) EXCLUDES(mu_);

  // Models that something is known of, by key, and what is wrong with each ("" when nothing is).
  std::map<std::string, std::string> Problems() const EXCLUDES(mu_);
  // The model is the program's, not a repository's.
  bool IsOfProgram(const std::string& key) const {
    return tools_.program != nullptr && tools_.program->Has(key);
  }
  // Of the models of that name that something is known of.
  std::vector<std::string> KeysOf(const std::string& name) const EXCLUDES(mu_);
  // A model of a standing wish serves nothing, for a reason that is not in the table.
  bool HasMissing() const EXCLUDES(mu_);
  ControlMetrics metrics() const { return counters_->Get(); }

 private:
  struct Task {
    LoadRequest request;
    std::string content_key;
    bool is_wished = false;
    std::string dir;  // given by a watcher; empty: to be found
    std::optional<Fingerprint> settled;
    std::vector<OutcomeDone> load_done;
    UnloadDone unload_done;  // set: this is an unload
    Trace trace = Trace::kUnloaded;
    std::shared_ptr<LoadControl> control;  // once it runs
  };
  struct Record {
    std::optional<ServedModel> served;
    std::string problem;
    bool is_wished = false;    // counts for readiness
    bool was_stopped = false;  // its load was given up by Pause
    std::deque<Task> waiting;
    bool is_busy = false;
    std::shared_ptr<LoadControl> running;  // the load that it is busy with
    std::vector<OutcomeDone> load_done;    // of that load
    TimePoint rested;                      // when the next load may begin, while it serves
  };

  static std::string KeyOf(const Task& task) {
    return ModelKey(task.request.space, task.request.name);
  }
  void Enqueue(Task task) EXCLUDES(mu_);
  // Puts it into its model's line, or joins it to one that waits there. True: the model was idle
  // and the caller must run what waits.
  bool EnqueueLocked(Task* task) REQUIRES(mu_);
  void RunNext(const std::string& key) EXCLUDES(mu_);
  // False when it was given up: somebody else goes on with this model.
  bool RunLoad(const std::string& key, const Task& task, const std::optional<ServedModel>& before)
      EXCLUDES(mu_);
  LoadOutcome CarryOut(const Task& task, const std::optional<ServedModel>& before) const;
  Status Find(const LoadRequest& request, std::string* dir) const;
  void RunUnload(const Task& task) EXCLUDES(mu_);
  // Ends the running load; those who asked for it.
  std::vector<OutcomeDone> Remember(const std::string& key, const LoadOutcome& outcome)
      EXCLUDES(mu_);
  // Takes the waiting loads that want what `task` has just failed at.
  void TakeFollowers(const Task& task, const LoadOutcome& outcome, std::vector<OutcomeDone>* done)
      EXCLUDES(mu_);
  void GiveUp(const std::string& key, const std::shared_ptr<LoadControl>& load,
              const Status& reason) EXCLUDES(mu_);
  // Answers what waits, gives up what runs.
  void GiveUpAll() EXCLUDES(mu_);
  uint64_t ArmLimit(const std::string& key, const std::shared_ptr<LoadControl>& load);

  const ManagerOptions options_;
  const LoadTools tools_;
  const std::shared_ptr<ControlCounters> counters_ = std::make_shared<ControlCounters>();
  mutable Mutex mu_;
  CondVar idle_;
  std::map<std::string, Record> records_ GUARDED_BY(mu_);
  int busy_ GUARDED_BY(mu_) = 0;
  bool is_closed_ GUARDED_BY(mu_) = false;
  bool is_paused_ GUARDED_BY(mu_) = false;
  JobPool pool_;  // last: its jobs use the rest
};

}  // namespace pt::repo
