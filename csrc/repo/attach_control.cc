#include "repo/attach_control.h"

#include <utility>

#include "wire/json_reader.h"

namespace pt::repo {
namespace {

constexpr int kMaxConfigDepth = 100;

bool NamesRemoteBackend(const std::string& config) {
  // Most configurations don't have the word in them: they are not parsed twice.
  if (config.find(kRemoteBackend) == std::string::npos) return false;
  wire::JsonDocument document(kMaxConfigDepth);
  if (!document.Parse(config).ok() || !document.root().is_object()) return false;
  const wire::JsonValue backend = document.root().Find("backend");
  if (!backend) return false;
  const Result<std::string_view> name = backend.AsString();
  return name.ok() && *name == kRemoteBackend;
}

Status Refused() {
  return Unavailable("explicit model load / unload is not allowed if polling is enabled");
}

Status Stopping() { return Unavailable("the server is stopping"); }

}  // namespace

void AttachControl::Waiting::Answer(const Status& status) const {
  if (attached) return attached(status);
  if (status.ok()) return detached(UnloadReport{});
  detached(status);
}

bool AttachControl::EnqueueLocked(Ask ask, Waiting waiting) {
  if (is_closed_) return false;
  ask.id = ++last_id_;
  waiting.name = ask.name;
  waiting_.emplace(ask.id, std::move(waiting));
  asks_.push_back(std::move(ask));
  news_.NotifyAll();
  return true;
}

std::optional<AttachControl::Ask> AttachControl::Next() {
  MutexLock lock(&mu_);
  while (asks_.empty() && !is_closed_) news_.Wait(&mu_);
  if (is_closed_) return std::nullopt;
  Ask ask = std::move(asks_.front());
  asks_.pop_front();
  return ask;
}

void AttachControl::Answer(uint64_t id, const Status& status) {
  Waiting answered;
  {
    MutexLock lock(&mu_);
    const auto found = waiting_.find(id);
    if (found == waiting_.end()) return;  // closed meanwhile
    answered = std::move(found->second);
    waiting_.erase(found);
    if (status.ok() && answered.attached) attached_.insert(answered.name);
    if (status.ok() && answered.detached) attached_.erase(answered.name);
  }
  answered.Answer(status);
}

void AttachControl::Forget(const std::string& name) {
  MutexLock lock(&mu_);
  attached_.erase(name);
}

void AttachControl::Close() {
  std::map<uint64_t, Waiting> refused;
  {
    MutexLock lock(&mu_);
    is_closed_ = true;
    refused.swap(waiting_);
    asks_.clear();
    news_.NotifyAll();
  }
  for (const auto& [id, waiting] : refused) waiting.Answer(Stopping());
}

void AttachControl::Load(LoadRequest request, LoadDone done) {
  if (!request.config || !NamesRemoteBackend(*request.config)) {
    if (inner_ == nullptr) return done(Refused());
    return inner_->Load(std::move(request), std::move(done));
  }
  {
    MutexLock lock(&mu_);
    Ask ask{0, Kind::kAttach, request.name, std::move(*request.config)};
    if (EnqueueLocked(std::move(ask), {{}, done, nullptr})) return;
  }
  done(Stopping());
}

void AttachControl::Unload(const std::string& name, UnloadDone done) {
  {
    MutexLock lock(&mu_);
    if (attached_.count(name) > 0 &&
        EnqueueLocked({0, Kind::kDetach, name, ""}, {{}, nullptr, done})) {
      return;
    }
  }
  if (inner_ == nullptr) return done(Refused());
  inner_->Unload(name, std::move(done));
}

void AttachControl::Refresh(LoadDone done) {
  if (inner_ == nullptr) return done({});
  inner_->Refresh(std::move(done));
}

void AttachControl::CompleteIndex(std::vector<IndexEntry>* index) const {
  if (inner_ != nullptr) inner_->CompleteIndex(index);
}

ControlMetrics AttachControl::metrics() const {
  return inner_ == nullptr ? ControlMetrics() : inner_->metrics();
}

}  // namespace pt::repo
