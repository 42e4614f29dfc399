#include "repo/model_repositories.h"

#include <algorithm>
#include <utility>

namespace pt::repo {
namespace {

LoadTools WithOptions(LoadTools tools, const RepositoryOptions& options, FilesArea* area) {
  tools.area = area;
  tools.config_name = options.config_name;
  tools.auto_complete = options.auto_complete;
  tools.retry_count = options.retry_count;
  return tools;
}

ManagerOptions ManagerOf(const RepositoryOptions& options, Alarm* alarm) {
  ManagerOptions manager;
  manager.repositories = options.repositories;
  manager.thread_count = options.thread_count;
  manager.load_limit = options.load_limit;
  manager.alarm = alarm;
  return manager;
}

Status RefusedControl() {
  return Unavailable("explicit model load / unload is not allowed if polling is enabled");
}

Status AllFailed() { return Internal("failed to load all models"); }

// Answers once when the last of several has: with the first error.
class LoadJoin {
 public:
  LoadJoin(size_t count, LoadDone done) : missing_(count), done_(std::move(done)) {}

  void Ended(const Status& status) EXCLUDES(mu_) {
    Status first;
    {
      MutexLock lock(&mu_);
      if (first_.ok()) first_ = status;
      if (--missing_ > 0) return;
      first = first_;
    }
    done_(first);
  }

 private:
  Mutex mu_;
  size_t missing_ GUARDED_BY(mu_);
  Status first_ GUARDED_BY(mu_);
  const LoadDone done_;
};

// The same for unloads: what was resident before the first and after the last of them.
class UnloadJoin {
 public:
  UnloadJoin(size_t count, UnloadDone done) : missing_(count), done_(std::move(done)) {}

  void Ended(const Result<UnloadReport>& report) EXCLUDES(mu_) {
    {
      MutexLock lock(&mu_);
      if (!report.ok()) {
        if (first_.ok()) first_ = report.status();
      } else {
        all_.resident_before = std::max(all_.resident_before, report->resident_before);
        all_.resident_after = report->resident_after;
        all_.is_gone = all_.is_gone && report->is_gone;
      }
      if (--missing_ > 0) return;
      if (!all_.is_gone) all_.resident_after = 0;
    }
    Answer();
  }

 private:
  void Answer() EXCLUDES(mu_) {
    Result<UnloadReport> answer = UnloadReport();
    {
      MutexLock lock(&mu_);
      if (first_.ok()) {
        answer = all_;
      } else {
        answer = first_;
      }
    }
    done_(answer);
  }

  Mutex mu_;
  size_t missing_ GUARDED_BY(mu_);
  Status first_ GUARDED_BY(mu_);
  UnloadReport all_ GUARDED_BY(mu_);
  const UnloadDone done_;
};

}  // namespace

Result<std::unique_ptr<ModelRepositories>> ModelRepositories::Create(RepositoryOptions options,
                                                                     LoadTools tools,
                                                                     Alarm* alarm) {
  PT_ASSIGN_OR_RETURN(std::unique_ptr<FilesArea> area, FilesArea::Create({}));
  return std::unique_ptr<ModelRepositories>(
      new ModelRepositories(std::move(options), std::move(area), std::move(tools), alarm));
}

ModelRepositories::ModelRepositories(RepositoryOptions options, std::unique_ptr<FilesArea> area,
                                     LoadTools tools, Alarm* alarm)
    : options_(std::move(options)),
      area_(std::move(area)),
      logger_(tools.logger),
      manager_(ManagerOf(options_, alarm), WithOptions(std::move(tools), options_, area_.get())),
      pool_("pt-repo", 1) {}

ModelRepositories::~ModelRepositories() { Close(kNoDeadline); }

void ModelRepositories::Start() {
  pool_.Post([this] { RunStart(); });
}

void ModelRepositories::RunStart() {
  if (options_.mode == ControlMode::kPoll) {
    PollOptions poll{options_.repositories, options_.poll_interval, options_.settle,
                     options_.namespacing};
    auto source = std::make_unique<PollSource>(
        std::move(poll), &manager_, logger_, [this](const PollView& first) {
          for (const auto& [name, problem] : manager_.Problems()) {
            if (!problem.empty()) CountStart(name, AllFailed());
          }
          for (const auto& [path, problem] : first.unreadable) CountUnreadable(path, problem);
          EndStart();
        });
    if (options_.poll_interval == Duration::zero()) {
      PT_LOG(logger_, kWarning,
             "--repository-poll-secs is 0: the repository is read at the start and never again");
    }
    MutexLock lock(&mu_);
    if (!is_closing_) poll_ = std::move(source);
    return;
  }
  const Layout layout = ScanRepositories(options_.repositories, options_.namespacing);
  NoteLayout(layout);
  for (const UnreadableRepository& one : layout.unreadable) {
    PT_LOG(logger_, kError,
           "repository " + one.repository + " can't be read: " + one.problem.message());
    CountUnreadable(one.repository, one.problem);
  }
  const bool loads_all =
      options_.mode == ControlMode::kNone || options_.load_models == std::vector<std::string>{"*"};
  std::vector<LoadRequest> requests;
  if (loads_all) {
    for (const ModelPlace& place : layout.models) {
      const bool is_listed = !requests.empty() && requests.back().name == place.name &&
                             requests.back().space == place.space;
      if (is_listed) continue;  // one load, which finds that there are two
      LoadRequest& request = requests.emplace_back();
      request.name = place.name;
      request.space = place.space;
    }
  } else {
    for (const std::string& name : options_.load_models) {
      LoadRequest request;
      request.name = name;
      for (LoadRequest& one : RequestsFor(request)) requests.push_back(std::move(one));
    }
  }
  LoadAtStart(requests);
}

void ModelRepositories::LoadAtStart(const std::vector<LoadRequest>& requests) {
  {
    MutexLock lock(&mu_);
    start_missing_ = requests.size();
  }
  if (requests.empty()) return EndStart();
  for (const LoadRequest& request : requests) {
    const auto done = [this, name = request.name](const LoadOutcome& outcome) {
      CountStart(name, ClientStatus(name, outcome).ok() ? Status() : AllFailed());
      MutexLock lock(&mu_);
      if (--start_missing_ > 0) return;
      is_started_ = true;
      start_over_.NotifyAll();
    };
    const Status name_status = CheckModelName(request.name);
    if (name_status.ok()) {
      manager_.Load(request, Wish::kStanding, done);
    } else {
      manager_.SetProblem(ModelKey(request.space, request.name), name_status);
      LoadOutcome outcome;
      outcome.reason = name_status;
      done(outcome);
    }
  }
}

void ModelRepositories::CountStart(const std::string& name, const Status& status) {
  if (status.ok()) return;
  MutexLock lock(&mu_);
  // The first thing that is wrong is what the start is told; a repository comes before its models.
  if (start_status_.ok()) start_status_ = status;
}

void ModelRepositories::CountUnreadable(const std::string& repository, const Status& problem) {
  CountStart(repository, problem);
  MutexLock lock(&mu_);
  never_read_.insert(repository);
}

// What a repository holds that could never be read, nobody knows: something may be missing.
bool ModelRepositories::HasMissing() const {
  if (manager_.HasMissing()) return true;
  {
    MutexLock lock(&mu_);
    if (never_read_.empty()) return false;
  }
  const PollView view = View();
  MutexLock lock(&mu_);
  return std::any_of(never_read_.begin(), never_read_.end(), [&](const std::string& repository) {
    return view.unreadable.count(repository) > 0;
  });
}

void ModelRepositories::EndStart() {
  MutexLock lock(&mu_);
  is_started_ = true;
  start_over_.NotifyAll();
}

Result<bool> ModelRepositories::AwaitStart(TimePoint deadline) const {
  MutexLock lock(&mu_);
  while (!is_started_) {
    if (deadline == kNoDeadline) {
      start_over_.Wait(&mu_);
    } else if (!start_over_.WaitUntil(&mu_, deadline)) {
      if (!is_started_) return false;
    }
  }
  if (!start_status_.ok()) return start_status_;
  return true;
}

bool ModelRepositories::Close(TimePoint deadline) {
  std::unique_ptr<PollSource> poll;
  {
    MutexLock lock(&mu_);
    is_closing_ = true;
    is_started_ = true;
    start_over_.NotifyAll();
  }
  // The poller's callbacks post to it: it goes after the loads.
  const bool has_ended = manager_.Close(deadline);
  if (!has_ended) return false;
  {
    MutexLock lock(&mu_);
    poll.swap(poll_);
  }
  return true;
}

std::vector<LoadRequest> ModelRepositories::RequestsFor(const LoadRequest& request) const {
  std::vector<LoadRequest> requests;
  // What was uploaded is in no repository; what can't be found fails by its name alone.
  if (options_.namespacing == Namespacing::kOn && request.files.empty() &&
      CheckModelName(request.name).ok()) {
    const auto places = FindModel(options_.repositories, request.name);
    if (places.ok()) {
      for (const ModelPlace& place : *places) {
        requests.push_back(request);
        requests.back().space = place.repository;
      }
    }
  }
  if (requests.empty() || manager_.IsOfProgram(request.name)) requests.push_back(request);
  return requests;
}

void ModelRepositories::LoadOne(LoadRequest request, LoadDone done) {
  const std::string name = request.name;
  manager_.Load(std::move(request), Wish::kRequest,
                [name, done = std::move(done)](const LoadOutcome& outcome) {
                  done(ClientStatus(name, outcome));
                });
}

void ModelRepositories::Load(LoadRequest request, LoadDone done) {
  if (options_.mode != ControlMode::kExplicit) return done(RefusedControl());
  Status status = CheckModelName(request.name);
  for (const auto& [path, bytes] : request.files) {
    if (status.ok()) status = CheckUploadPath(path);
  }
  if (!status.ok()) return done(status);
  if (options_.namespacing == Namespacing::kOff)
    return LoadOne(std::move(request), std::move(done));
  // Looks at directories: not on the caller's thread.
  pool_.Post([this, request = std::move(request), done = std::move(done)] {
    std::vector<LoadRequest> requests = RequestsFor(request);
    const auto join = std::make_shared<LoadJoin>(requests.size(), done);
    for (LoadRequest& one : requests) {
      LoadOne(std::move(one), [join](const Status& status) { join->Ended(status); });
    }
  });
}

void ModelRepositories::Unload(const std::string& name, UnloadDone done) {
  if (options_.mode != ControlMode::kExplicit) return done(RefusedControl());
  if (options_.namespacing == Namespacing::kOff) {
    return manager_.Unload(name, Trace::kUnloaded, std::move(done));
  }
  std::vector<std::string> keys = manager_.KeysOf(name);
  if (keys.empty()) keys.push_back(name);
  const auto join = std::make_shared<UnloadJoin>(keys.size(), std::move(done));
  for (const std::string& key : keys) {
    manager_.Unload(key, Trace::kUnloaded,
                    [join](const Result<UnloadReport>& report) { join->Ended(report); });
  }
}

void ModelRepositories::Refresh(LoadDone done) {
  if (options_.mode != ControlMode::kExplicit) return done({});
  pool_.Post([this, done = std::move(done)] {
    const Layout layout = ScanRepositories(options_.repositories, options_.namespacing);
    NoteLayout(layout);
    done({});
  });
}

void ModelRepositories::NoteLayout(const Layout& layout) {
  MutexLock lock(&mu_);
  view_ = {};
  for (const ModelPlace& place : layout.models) {
    const bool is_new = view_.repository_of.emplace(place.key(), place.repository).second;
    if (!is_new) view_.doubles.insert(place.key());
  }
  for (const UnreadableRepository& one : layout.unreadable) {
    view_.unreadable[one.repository] = one.problem;
  }
}

PollView ModelRepositories::View() const {
  MutexLock lock(&mu_);
  return poll_ ? poll_->view() : view_;
}

void ModelRepositories::CompleteIndex(std::vector<IndexEntry>* index) const {
  const PollView view = View();
  std::map<std::string, std::string> problems = manager_.Problems();
  for (const auto& [key, repository] : view.repository_of) {
    std::string& problem = problems[key];  // known, if only by its directory
    if (problem.empty() && view.doubles.count(key) > 0) problem = DoubleModel().message();
    const auto unreadable = view.unreadable.find(repository);
    if (unreadable == view.unreadable.end()) continue;
    if (!problem.empty()) problem += "; ";
    problem += "repository " + repository + " is frozen: " + unreadable->second.message();
  }
  std::set<std::string> listed;
  for (IndexEntry& entry : *index) {
    listed.insert(entry.key);
    const auto problem = problems.find(entry.key);
    if (problem != problems.end() && problem->second != entry.reason) {
      entry.problem = problem->second;
    }
  }
  for (const auto& [key, problem] : problems) {
    if (listed.count(key) > 0) continue;
    IndexEntry entry;
    entry.key = key;
    entry.name = NameOfKey(key);
    entry.reason = problem;
    entry.has_state = !problem.empty();
    index->push_back(std::move(entry));
  }
  std::stable_sort(index->begin(), index->end(),
                   [](const IndexEntry& a, const IndexEntry& b) { return a.name < b.name; });
}

bool ModelRepositories::HasStarted() const {
  MutexLock lock(&mu_);
  return is_started_;
}

ControlMetrics ModelRepositories::metrics() const {
  ControlMetrics metrics = manager_.metrics();
  metrics.frozen_repositories = View().unreadable.size();
  return metrics;
}

}  // namespace pt::repo
