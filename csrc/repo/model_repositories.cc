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

Status RefusedControl() {
  return Unavailable("explicit model load / unload is not allowed if polling is enabled");
}

Status AllFailed() { return Internal("failed to load all models"); }

}  // namespace

Result<std::unique_ptr<ModelRepositories>> ModelRepositories::Create(RepositoryOptions options,
                                                                     LoadTools tools) {
  PT_ASSIGN_OR_RETURN(std::unique_ptr<FilesArea> area, FilesArea::Create({}));
  return std::unique_ptr<ModelRepositories>(
      new ModelRepositories(std::move(options), std::move(area), std::move(tools)));
}

ModelRepositories::ModelRepositories(RepositoryOptions options, std::unique_ptr<FilesArea> area,
                                     LoadTools tools)
    : options_(std::move(options)),
      area_(std::move(area)),
      logger_(tools.logger),
      manager_({options_.repositories, options_.thread_count},
               WithOptions(std::move(tools), options_, area_.get())),
      pool_("pt-repo", 1) {}

ModelRepositories::~ModelRepositories() { Close(kNoDeadline); }

void ModelRepositories::Start() {
  pool_.Post([this] { RunStart(); });
}

void ModelRepositories::RunStart() {
  if (options_.mode == ControlMode::kPoll) {
    PollOptions poll{options_.repositories, options_.poll_interval, options_.settle};
    auto source = std::make_unique<PollSource>(
        std::move(poll), &manager_, logger_, [this](const PollView& first) {
          for (const auto& [name, problem] : manager_.Problems()) {
            if (!problem.empty()) CountStart(name, AllFailed());
          }
          for (const auto& [path, problem] : first.unreadable) CountStart(path, problem);
          EndStart();
        });
    MutexLock lock(&mu_);
    if (!is_closing_) poll_ = std::move(source);
    return;
  }
  const Layout layout = ScanRepositories(options_.repositories);
  NoteLayout(layout);
  for (const UnreadableRepository& one : layout.unreadable) CountStart(one.repository, one.problem);
  const bool loads_all =
      options_.mode == ControlMode::kNone || options_.load_models == std::vector<std::string>{"*"};
  if (!loads_all) return LoadAtStart(options_.load_models);
  std::vector<std::string> names;
  names.reserve(layout.models.size());
  for (const ModelPlace& place : layout.models) names.push_back(place.name);
  names.erase(std::unique(names.begin(), names.end()), names.end());
  LoadAtStart(names);
}

void ModelRepositories::LoadAtStart(const std::vector<std::string>& names) {
  {
    MutexLock lock(&mu_);
    start_missing_ = names.size();
  }
  if (names.empty()) return EndStart();
  for (const std::string& name : names) {
    LoadRequest request;
    request.name = name;
    const auto done = [this, name](const LoadOutcome& outcome) {
      CountStart(name, ClientStatus(name, outcome).ok() ? Status() : AllFailed());
      MutexLock lock(&mu_);
      if (--start_missing_ > 0) return;
      is_started_ = true;
      start_over_.NotifyAll();
    };
    const Status name_status = CheckModelName(name);
    if (name_status.ok()) {
      manager_.Load(std::move(request), Wish::kStanding, done);
    } else {
      manager_.SetProblem(name, name_status);
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

void ModelRepositories::Load(LoadRequest request, LoadDone done) {
  if (options_.mode != ControlMode::kExplicit) return done(RefusedControl());
  const Status name_status = CheckModelName(request.name);
  if (!name_status.ok()) return done(name_status);
  const std::string name = request.name;
  manager_.Load(std::move(request), Wish::kRequest,
                [name, done = std::move(done)](const LoadOutcome& outcome) {
                  done(ClientStatus(name, outcome));
                });
}

void ModelRepositories::Unload(const std::string& name, UnloadDone done) {
  if (options_.mode != ControlMode::kExplicit) return done(RefusedControl());
  manager_.Unload(name, Trace::kUnloaded, std::move(done));
}

void ModelRepositories::Refresh(LoadDone done) {
  if (options_.mode != ControlMode::kExplicit) return done({});
  pool_.Post([this, done = std::move(done)] {
    const Layout layout = ScanRepositories(options_.repositories);
    NoteLayout(layout);
    done({});
  });
}

void ModelRepositories::NoteLayout(const Layout& layout) {
  MutexLock lock(&mu_);
  view_ = {};
  for (const ModelPlace& place : layout.models) view_.repository_of[place.name] = place.repository;
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
  for (const auto& [name, repository] : view.repository_of) {
    std::string& problem = problems[name];  // known, if only by its directory
    const auto unreadable = view.unreadable.find(repository);
    if (unreadable == view.unreadable.end()) continue;
    if (!problem.empty()) problem += "; ";
    problem += "repository " + repository + " is frozen: " + unreadable->second.message();
  }
  std::set<std::string> listed;
  for (IndexEntry& entry : *index) {
    listed.insert(entry.name);
    const auto problem = problems.find(entry.name);
    if (problem != problems.end() && problem->second != entry.reason) {
      entry.problem = problem->second;
    }
  }
  for (const auto& [name, problem] : problems) {
    if (listed.count(name) > 0) continue;
    IndexEntry entry;
    entry.name = name;
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
