// ModelRepositories: the model repositories of a server in one of three modes, as Triton documents
// them: NONE loads all at the start, EXPLICIT what the start names and then what clients ask for,
// POLL what is there at any time.
//
// With namespaces a client's load or unload of a name means every model of that name: no protocol
// has a field to say which.
//
// Thread rule: thread-safe. Owner rule: borrows the table, which outlives it.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/job_pool.h"
#include "base/log.h"
#include "base/mutex.h"
#include "repo/manager.h"
#include "repo/model_control.h"
#include "repo/poll_source.h"

namespace pt::repo {

enum class ControlMode { kNone, kExplicit, kPoll };

struct RepositoryOptions {
  std::vector<std::string> repositories;  // without duplicates
  ControlMode mode = ControlMode::kNone;
  std::vector<std::string> load_models;  // kExplicit: what the start loads; {"*"}: everything
  Duration poll_interval = std::chrono::seconds(15);  // 0: only the start looks
  Duration settle = std::chrono::seconds(1);
  std::string config_name;
  bool auto_complete = true;
  int thread_count = 4;
  int retry_count = 0;
  Duration load_limit{0};    // 0: a load may take for ever
  Duration unload_limit{0};  // 0: so may requests of what was unloaded
  Namespacing namespacing = Namespacing::kOff;
};

class ModelRepositories final : public ModelControl {
 public:
  // `tools`: opener, factory, table and logger are given; the rest is filled in here. Errors:
  // Internal when there is no place for private copies of the files.
  // `alarm` is borrowed; null: loads have no limit.
  static Result<std::unique_ptr<ModelRepositories>> Create(RepositoryOptions options,
                                                           LoadTools tools, Alarm* alarm);
  ~ModelRepositories() override;  // Close without a deadline

  // Begins the loads of the start; once.
  void Start() EXCLUDES(mu_);
  // False when they are still under way at `deadline`. Errors: Internal "failed to load all models"
  // or what is wrong with a repository; the other models serve.
  Result<bool> AwaitStart(TimePoint deadline) const EXCLUDES(mu_);
  // False when loads are still under way at `deadline`.
  bool AwaitIdle(TimePoint deadline) { return manager_.AwaitIdle(deadline); }
  // Gives up loads under way and refuses others until Resume.
  void Pause() { manager_.Pause(); }
  void Resume() { manager_.Resume(); }
  // Gives up loads under way and takes no more wishes. False when `deadline` came before the end.
  bool Close(TimePoint deadline) EXCLUDES(mu_);

  void Load(LoadRequest request, LoadDone done) override;
  void Unload(const std::string& name, UnloadDone done) override;
  void Refresh(LoadDone done) override;
  void CompleteIndex(std::vector<IndexEntry>* index) const override EXCLUDES(mu_);
  bool HasStarted() const override EXCLUDES(mu_);
  bool HasMissing() const override EXCLUDES(mu_);
  ControlMetrics metrics() const override EXCLUDES(mu_);

 private:
  ModelRepositories(RepositoryOptions options, std::unique_ptr<FilesArea> area, LoadTools tools,
                    Alarm* alarm);
  void RunStart() EXCLUDES(mu_);
  void LoadAtStart(const std::vector<LoadRequest>& requests) EXCLUDES(mu_);
  // A request for each model that `request` may mean; at least one.
  std::vector<LoadRequest> RequestsFor(const LoadRequest& request) const;
  void LoadOne(LoadRequest request, LoadDone done);
  void NoteLayout(const Layout& layout) EXCLUDES(mu_);
  void CountStart(const std::string& name, const Status& status) EXCLUDES(mu_);
  void CountUnreadable(const std::string& repository, const Status& problem) EXCLUDES(mu_);
  void EndStart() EXCLUDES(mu_);
  PollView View() const EXCLUDES(mu_);

  const RepositoryOptions options_;
  const std::unique_ptr<FilesArea> area_;  // outlives every load
  Logger* const logger_;
  mutable Mutex mu_;
  mutable CondVar start_over_;
  PollView view_ GUARDED_BY(mu_);                     // of modes that don't poll
  std::set<std::string> never_read_ GUARDED_BY(mu_);  // repositories, since the start
  bool is_started_ GUARDED_BY(mu_) = false;
  bool is_closing_ GUARDED_BY(mu_) = false;
  size_t start_missing_ GUARDED_BY(mu_) = 0;
  Status start_status_ GUARDED_BY(mu_);
  std::unique_ptr<PollSource> poll_ GUARDED_BY(mu_);
  Manager manager_;
  JobPool pool_;  // looks at directories; last: its jobs use the rest
};

}  // namespace pt::repo
