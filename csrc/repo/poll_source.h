// PollSource: watches model repositories and wishes for what is in them (mode POLL): a look at all
// of them every interval, and early when inotify says that something happened. A repository that
// can't be read freezes what is served from it; nothing is unloaded because of that.
//
// Thread rule: has its own thread; the public functions are thread-safe.
// Owner rule: borrows the manager, which must be closed before this object goes; what the manager
// reports later (a request may keep an unloaded model for long) reaches nobody.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/log.h"
#include "base/mutex.h"
#include "repo/dir_watch.h"
#include "repo/layout.h"
#include "repo/manager.h"
#include "repo/poll_policy.h"

namespace pt::repo {

struct PollOptions {
  std::vector<std::string> repositories;
  Duration interval = std::chrono::seconds(15);
  Duration settle = std::chrono::seconds(1);
  Namespacing namespacing = Namespacing::kOff;
};

// What the last look saw.
struct PollView {
  std::map<std::string, std::string> repository_of;  // model's key -> repository
  std::map<std::string, Status> unreadable;          // repository -> why
  std::set<std::string> doubles;                     // names that two repositories have
};

class PollSource {
 public:
  // `first_done` runs when every model that the first look found was tried once, with their names.
  PollSource(PollOptions options, Manager* manager, Logger* logger,
             std::function<void(const PollView& first)> first_done);
  ~PollSource();  // Stop

  // Ends the watching; what is under way in the manager goes on.
  void Stop() EXCLUDES(mu_);
  PollView view() const EXCLUDES(mu_);

 private:
  struct Watched {
    explicit Watched(PollTiming timing) : policy(timing) {}
    PollPolicy policy;
    std::string repository;
    bool has_problem = false;  // the manager may hold one against it
  };
  struct Ended {
    std::string key;
    bool is_unload = false;
    Fingerprint tree;
    LoadOutcome outcome;
  };

  // Where the manager reports to, from its threads.
  class Inbox {
   public:
    void Post(Ended ended) EXCLUDES(mu_);
    std::vector<Ended> Take() EXCLUDES(mu_);
    // `watch` wakes with every report; nullptr: nobody takes them any more.
    void Wake(DirWatch* watch) EXCLUDES(mu_);

   private:
    Mutex mu_;
    DirWatch* watch_ GUARDED_BY(mu_) = nullptr;
    std::vector<Ended> ended_ GUARDED_BY(mu_);
  };

  void Run();
  void TakeEnded();
  // One look at everything; when time alone asks for the next one.
  TimePoint LookAtAll() EXCLUDES(mu_);
  TimePoint LookAtModel(const ModelPlace& place, TimePoint now);
  TimePoint LookForMissing(const Layout& layout, TimePoint now);
  void NoteUnreadable(const Layout& layout) EXCLUDES(mu_);
  Watched& WatchedOf(const ModelPlace& place);
  void Load(const ModelPlace& place, const Fingerprint& tree);
  void Unload(const std::string& key);
  void FinishFirst() EXCLUDES(mu_);
  void WatchDirectory(const std::string& path);
  bool IsStopping() const EXCLUDES(mu_);

  const PollOptions options_;
  const PollTiming timing_;
  Manager* const manager_;
  Logger* const logger_;
  DirWatch watch_;
  const std::shared_ptr<Inbox> inbox_ = std::make_shared<Inbox>();
  bool can_watch_ = true;

  // The thread's own.
  std::map<std::string, Watched> models_;            // by key
  std::function<void(const PollView&)> first_done_;  // empty once called
  std::set<std::string> first_missing_;              // of the first look, not yet tried
  bool has_looked_ = false;

  mutable Mutex mu_;
  CondVar pause_;
  bool is_stopping_ GUARDED_BY(mu_) = false;
  PollView view_ GUARDED_BY(mu_);
  std::thread thread_;
};

}  // namespace pt::repo
