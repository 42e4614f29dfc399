#include "repo/poll_source.h"

#include <pthread.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace pt::repo {
namespace {

// However much happens in a repository, looking at it takes at most a small part of one core.
constexpr Duration kShortestPause = std::chrono::milliseconds(50);
constexpr int kPauseFactor = 10;

bool IsOlderThan(std::chrono::nanoseconds change, Duration age) {
  return std::chrono::system_clock::now().time_since_epoch() - change > age;
}

}  // namespace

PollSource::PollSource(PollOptions options, Manager* manager, Logger* logger,
                       std::function<void(const PollView& first)> first_done)
    : options_(std::move(options)),
      timing_{options_.settle, std::max<Duration>(options_.interval, options_.settle),
              std::max<Duration>(std::chrono::minutes(5), options_.interval)},
      manager_(manager),
      logger_(logger),
      first_done_(std::move(first_done)),
      thread_([this] { Run(); }) {
  pthread_setname_np(thread_.native_handle(), "pt-poll");
}

PollSource::~PollSource() {
  Stop();
  inbox_->Wake(nullptr);
}

void PollSource::Stop() {
  {
    MutexLock lock(&mu_);
    is_stopping_ = true;
    pause_.NotifyAll();
  }
  watch_.Wake();
  if (thread_.joinable()) thread_.join();
}

PollView PollSource::view() const {
  MutexLock lock(&mu_);
  return view_;
}

bool PollSource::IsStopping() const {
  MutexLock lock(&mu_);
  return is_stopping_;
}

void PollSource::Run() {
  inbox_->Wake(&watch_);
  while (!IsStopping()) {
    TakeEnded();
    const TimePoint begin = std::chrono::steady_clock::now();
    const TimePoint look_again = LookAtAll();
    if (!has_looked_ || first_done_) FinishFirst();
    has_looked_ = true;
    const TimePoint end = std::chrono::steady_clock::now();
    const TimePoint next = options_.interval.count() > 0 ? end + options_.interval : kNoDeadline;
    watch_.Wait(std::min(next, look_again));
    // A burst of changes is one change. Answers of loads don't wait for this.
    const TimePoint soonest = end + std::max(kShortestPause, kPauseFactor * (end - begin));
    MutexLock lock(&mu_);
    while (!is_stopping_ && std::chrono::steady_clock::now() < soonest) {
      if (!pause_.WaitUntil(&mu_, soonest)) break;
    }
  }
}

void PollSource::TakeEnded() {
  const TimePoint now = std::chrono::steady_clock::now();
  for (const Ended& one : inbox_->Take()) {
    const auto at = models_.find(one.key);
    if (at == models_.end()) continue;
    PollPolicy& policy = at->second.policy;
    if (one.is_unload) {
      models_.erase(at);
      continue;
    }
    switch (one.outcome.kind) {
      case LoadOutcome::Kind::kLoaded:
      case LoadOutcome::Kind::kUnchanged:
        policy.Loaded(one.tree);
        break;
      case LoadOutcome::Kind::kChanged:
        policy.Changed();
        continue;  // not tried yet
      case LoadOutcome::Kind::kUnusable:
      case LoadOutcome::Kind::kFailed:
      case LoadOutcome::Kind::kCancelled:
        policy.Failed(one.tree, now);
        break;
    }
    first_missing_.erase(one.key);
  }
}

TimePoint PollSource::LookAtAll() {
  const TimePoint now = std::chrono::steady_clock::now();
  for (const std::string& repository : options_.repositories) WatchDirectory(repository);
  const Layout layout = ScanRepositories(options_.repositories, options_.namespacing);
  NoteUnreadable(layout);
  TimePoint look_again = LookForMissing(layout, now);
  for (size_t i = 0; i < layout.models.size(); ++i) {
    const ModelPlace& place = layout.models[i];
    const auto same = [&](size_t k) {
      return k < layout.models.size() && layout.models[k].key() == place.key();
    };
    if (!has_looked_) first_missing_.insert(place.key());
    if (same(i + 1) || (i > 0 && same(i - 1))) {
      // What serves goes on; which of the two is meant is not for us to say.
      manager_->SetProblem(place.key(), DoubleModel());
      first_missing_.erase(place.key());
      WatchedOf(place);
      continue;
    }
    look_again = std::min(look_again, LookAtModel(place, now));
  }
  return look_again;
}

PollSource::Watched& PollSource::WatchedOf(const ModelPlace& place) {
  Watched& watched = models_.try_emplace(place.key(), timing_).first->second;
  watched.repository = place.repository;
  return watched;
}

TimePoint PollSource::LookAtModel(const ModelPlace& place, TimePoint now) {
  Watched& watched = WatchedOf(place);
  const Result<TreeLook> look =
      place.problem.ok()
          ? LookAtTree(place.path, [this](const std::string& path) { WatchDirectory(path); })
          : Result<TreeLook>(place.problem);
  if (!look.ok()) {
    // What serves goes on; a tree that can't be followed says nothing about what is wished.
    manager_->SetProblem(place.key(), look.status());
    first_missing_.erase(place.key());
    watched.has_problem = true;
    return kNoDeadline;
  }
  const PollDecision decision = watched.policy.Seen(
      look->fingerprint, IsOlderThan(look->newest_change, options_.settle), now);
  if (decision.action == PollAction::kLoad) Load(place, watched.policy.settled());
  if (watched.policy.is_applied() && std::exchange(watched.has_problem, false)) {
    manager_->SetProblem(place.key(), {});
  }
  return decision.look_again;
}

TimePoint PollSource::LookForMissing(const Layout& layout, TimePoint now) {
  std::set<std::string> found;
  for (const ModelPlace& place : layout.models) found.insert(place.key());
  std::set<std::string_view> unreadable;
  for (const auto& one : layout.unreadable) unreadable.insert(one.repository);
  TimePoint look_again = kNoDeadline;
  for (auto& [key, watched] : models_) {
    if (found.count(key) > 0 || unreadable.count(watched.repository) > 0) continue;
    const PollDecision decision = watched.policy.Missing(now);
    if (decision.action == PollAction::kUnload) Unload(key);
    look_again = std::min(look_again, decision.look_again);
    first_missing_.erase(key);
  }
  return look_again;
}

void PollSource::NoteUnreadable(const Layout& layout) {
  std::map<std::string, Status> unreadable;
  for (const auto& one : layout.unreadable) unreadable[one.repository] = one.problem;
  MutexLock lock(&mu_);
  for (const auto& [repository, problem] : unreadable) {
    if (view_.unreadable.count(repository) > 0) continue;
    PT_LOG(logger_, kError,
           "repository " + repository +
               " can't be read, what it serves stays as it is: " + problem.message());
  }
  for (const auto& [repository, problem] : view_.unreadable) {
    if (unreadable.count(repository) > 0) continue;
    PT_LOG(logger_, kInfo, "repository " + repository + " can be read again");
  }
  // Models of a repository that can't be read are still known.
  std::map<std::string, std::string> repository_of;
  for (const auto& [key, repository] : view_.repository_of) {
    if (unreadable.count(repository) > 0) repository_of[key] = repository;
  }
  for (const ModelPlace& place : layout.models) repository_of[place.key()] = place.repository;
  view_.repository_of = std::move(repository_of);
  view_.unreadable = std::move(unreadable);
}

void PollSource::Load(const ModelPlace& place, const Fingerprint& tree) {
  models_.at(place.key()).has_problem = true;  // until it serves
  manager_->LoadSettled(place, tree,
                        [inbox = inbox_, key = place.key(), tree](const LoadOutcome& outcome) {
                          inbox->Post({key, false, tree, outcome});
                        });
}

void PollSource::Unload(const std::string& key) {
  manager_->Unload(key, Trace::kNone, [inbox = inbox_, key](const Result<UnloadReport>&) {
    inbox->Post({key, true, {}, {}});
  });
}

void PollSource::Inbox::Post(Ended ended) {
  MutexLock lock(&mu_);
  if (watch_ == nullptr) return;
  ended_.push_back(std::move(ended));
  watch_->Wake();
}

std::vector<PollSource::Ended> PollSource::Inbox::Take() {
  MutexLock lock(&mu_);
  return std::exchange(ended_, {});
}

void PollSource::Inbox::Wake(DirWatch* watch) {
  MutexLock lock(&mu_);
  watch_ = watch;
}

void PollSource::FinishFirst() {
  if (!first_done_ || !first_missing_.empty()) return;
  first_done_(view());
  first_done_ = nullptr;
}

// The poller finds changes anyway, only later.
void PollSource::WatchDirectory(const std::string& path) {
  if (!can_watch_ || watch_.Watch(path)) return;
  if (errno != ENOSPC && errno != EMFILE && errno != ENOSYS) return;
  can_watch_ = false;
  PT_LOG(logger_, kWarning,
         "the system watches no more directories (inotify): changes are found by polling alone");
}

}  // namespace pt::repo
