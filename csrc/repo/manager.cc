#include "repo/manager.h"

#include <algorithm>
#include <utility>

#include "repo/layout.h"
#include "repo/resident_memory.h"

namespace pt::repo {
namespace {

using Kind = LoadOutcome::Kind;

std::string FailedText(const std::string& name, const LoadOutcome& outcome) {
  return "load failed for model '" + name + "': version " + std::to_string(outcome.failed_version) +
         " is at UNAVAILABLE state: " + outcome.reason.ToString() + ";\n";
}

LoadOutcome Closing() {
  LoadOutcome outcome;
  outcome.reason = Unavailable("Server is stopping, models are no longer loaded");
  return outcome;
}

}  // namespace

Status ClientStatus(const std::string& name, const LoadOutcome& outcome) {
  switch (outcome.kind) {
    case Kind::kLoaded:
    case Kind::kUnchanged:
      return {};
    case Kind::kFailed:
      return InvalidArgument(FailedText(name, outcome));
    case Kind::kChanged:
      return outcome.reason;
    case Kind::kUnusable:
      break;
  }
  // Triton's words, then the reason, which Triton keeps to its log.
  return Internal("failed to load '" + name +
                  "', failed to poll from model repository: " + outcome.reason.message());
}

Manager::Manager(ManagerOptions options, LoadTools tools)
    : options_(std::move(options)),
      tools_(std::move(tools)),
      pool_("pt-load", options_.thread_count) {}

Manager::~Manager() { Close(kNoDeadline); }

bool Manager::Close(TimePoint deadline) {
  std::vector<Task> refused;
  {
    MutexLock lock(&mu_);
    is_closed_ = true;
    for (auto& [name, record] : records_) {
      for (Task& task : record.waiting) refused.push_back(std::move(task));
      record.waiting.clear();
    }
  }
  for (const Task& task : refused) {
    for (const OutcomeDone& done : task.load_done) done(Closing());
    if (task.unload_done) task.unload_done(Closing().reason);
  }
  return AwaitIdle(deadline);
}

bool Manager::AwaitIdle(TimePoint deadline) {
  MutexLock lock(&mu_);
  while (busy_ > 0) {
    if (deadline == kNoDeadline) {
      idle_.Wait(&mu_);
    } else if (!idle_.WaitUntil(&mu_, deadline)) {
      return busy_ == 0;
    }
  }
  return true;
}

void Manager::Load(LoadRequest request, Wish wish, OutcomeDone done) {
  Task task;
  task.is_wished = wish == Wish::kStanding;
  task.key = ContentKey(request);
  task.load_done.push_back(std::move(done));
  task.request = std::move(request);
  Enqueue(std::move(task));
}

void Manager::LoadSettled(const std::string& name, const std::string& dir, Fingerprint settled,
                          OutcomeDone done) {
  Task task;
  task.request.name = name;
  task.dir = dir;
  task.settled = std::move(settled);
  task.is_wished = true;
  task.load_done.push_back(std::move(done));
  Enqueue(std::move(task));
}

void Manager::Unload(const std::string& name, Trace trace, UnloadDone done) {
  Task task;
  task.request.name = name;
  task.trace = trace;
  task.unload_done = std::move(done);
  Enqueue(std::move(task));
}

void Manager::Enqueue(Task task) {
  const std::string name = task.request.name;
  const bool is_unload = static_cast<bool>(task.unload_done);
  bool is_begun = false;
  bool is_refused = false;
  {
    MutexLock lock(&mu_);
    if (!is_closed_) is_begun = EnqueueLocked(&task);
    is_refused = is_closed_;
  }
  if (is_refused) {
    for (const OutcomeDone& done : task.load_done) done(Closing());
    if (is_unload) task.unload_done(Closing().reason);
    return;
  }
  if (!is_begun) return;  // behind what the model is busy with
  if (!is_unload) return pool_.Post([this, name] { RunNext(name); });
  RunNext(name);  // an unload blocks nobody: it needs no thread, and waits for none
}

bool Manager::EnqueueLocked(Task* task) {
  Record& record = records_[task->request.name];
  record.is_wished = record.is_wished || task->is_wished;
  Task* last = record.waiting.empty() ? nullptr : &record.waiting.back();
  const bool is_same = record.is_busy && !task->unload_done && last != nullptr &&
                       !last->unload_done && last->key == task->key &&
                       last->settled == task->settled;
  if (is_same) {
    for (OutcomeDone& done : task->load_done) last->load_done.push_back(std::move(done));
    return false;
  }
  record.waiting.push_back(std::move(*task));
  if (record.is_busy) return false;
  record.is_busy = true;
  ++busy_;
  return true;
}

void Manager::RunNext(const std::string& name) {
  for (;;) {
    Task task;
    std::optional<ServedModel> before;
    {
      MutexLock lock(&mu_);
      Record& record = records_[name];
      if (record.waiting.empty()) {
        record.is_busy = false;
        --busy_;
        idle_.NotifyAll();
        // Clients may name what never was: nothing stays of that.
        if (!record.served && record.problem.empty()) records_.erase(name);
        return;
      }
      task = std::move(record.waiting.front());
      record.waiting.pop_front();
      before = record.served;
    }
    if (task.unload_done) {
      RunUnload(task);
      MutexLock lock(&mu_);
      Record& record = records_[name];
      const bool is_load_next = !record.waiting.empty() && !record.waiting.front().unload_done;
      if (!is_load_next) continue;
      // This may be a caller's thread, which must not load.
      pool_.Post([this, name] { RunNext(name); });
      return;
    }
    const LoadOutcome outcome = RunLoad(task, before);
    Remember(name, outcome);
    std::vector<OutcomeDone> done = std::move(task.load_done);
    TakeFollowers(task, outcome, &done);
    for (const OutcomeDone& callback : done) callback(outcome);
  }
}

Status Manager::Find(const std::string& name, std::string* dir) const {
  PT_ASSIGN_OR_RETURN(const std::vector<ModelPlace> places, FindModel(options_.repositories, name));
  if (places.empty()) return NotFound("model not found in any model repository.");
  if (places.size() > 1) return InvalidArgument("model appears in two or more repositories");
  PT_RETURN_IF_ERROR(places.front().problem);
  *dir = places.front().path;
  return {};
}

LoadOutcome Manager::RunLoad(const Task& task, const std::optional<ServedModel>& before) {
  LoadSource source;
  source.request = task.request;
  source.settled = task.settled;
  source.dir = task.dir;
  LoadOutcome outcome;
  if (source.dir.empty() && task.request.files.empty()) {
    outcome.reason = Find(task.request.name, &source.dir);
  }
  if (outcome.reason.ok()) {
    outcome = LoadModel(tools_, source, before ? &*before : nullptr);
  }
  const std::string& name = task.request.name;
  if (outcome.kind == Kind::kLoaded) {
    PT_LOG(tools_.logger, kInfo, "successfully loaded '" + name + "'");
  } else if (outcome.kind == Kind::kUnusable) {
    PT_LOG(tools_.logger, kError,
           "failed to poll model '" + name + "': " + outcome.reason.message());
  } else if (outcome.kind == Kind::kFailed) {
    PT_LOG(tools_.logger, kError,
           "failed to load '" + name + "' version " + std::to_string(outcome.failed_version) +
               ": " + outcome.reason.ToString());
  } else if (outcome.kind == Kind::kChanged) {
    PT_LOG(tools_.logger, kWarning, outcome.reason.message() + "; the load is discarded");
  }
  return outcome;
}

void Manager::Remember(const std::string& name, const LoadOutcome& outcome) {
  counters_->CountLoad(outcome.kind);
  MutexLock lock(&mu_);
  Record& record = records_[name];
  switch (outcome.kind) {
    case Kind::kLoaded:
      record.served = outcome.served;
      record.problem.clear();
      return;
    case Kind::kUnchanged:
      record.problem.clear();
      return;
    case Kind::kChanged:
      return;
    case Kind::kUnusable:
      // A name that is nowhere is no model with a problem, unless the start asked for it.
      if (!outcome.fingerprint && !record.served && !record.is_wished) return;
      break;
    case Kind::kFailed:
      break;
  }
  record.problem = outcome.reason.ToString();
}

void Manager::TakeFollowers(const Task& task, const LoadOutcome& outcome,
                            std::vector<OutcomeDone>* done) {
  if (outcome.kind != Kind::kFailed || !outcome.fingerprint || task.settled) return;
  if (task.request.files.empty()) {
    std::string dir;
    if (!Find(task.request.name, &dir).ok()) return;
    const Result<TreeLook> now = LookAtTree(dir, {});
    if (!now.ok() || now->fingerprint != *outcome.fingerprint) return;
  }
  MutexLock lock(&mu_);
  std::deque<Task>& waiting = records_[task.request.name].waiting;
  while (!waiting.empty() && !waiting.front().unload_done && waiting.front().key == task.key &&
         !waiting.front().settled) {
    for (OutcomeDone& callback : waiting.front().load_done) done->push_back(std::move(callback));
    waiting.pop_front();
  }
}

void Manager::RunUnload(const Task& task) {
  const std::string& name = task.request.name;
  UnloadReport report;
  report.resident_before = ResidentBytes();
  const bool is_in_use = tools_.table->InFlight(name) > 0;
  tools_.table->Clear(name, task.trace);
  {
    MutexLock lock(&mu_);
    Record& record = records_[name];
    record.served.reset();
    record.problem.clear();
    record.is_wished = false;
  }
  // Requests may keep the model longer than this manager lives.
  const auto gone = [counters = counters_, logger = tools_.logger, name, report, is_in_use,
                     done = task.unload_done]() mutable {
    GiveMemoryBack();
    report.resident_after = ResidentBytes();
    PT_LOG(logger, kInfo, "successfully unloaded '" + name + "'");
    counters->CountUnload(report);
    if (!is_in_use) done(report);
  };
  const std::vector<int64_t> versions = tools_.table->ReadyVersions(name);
  if (versions.empty()) {
    report.resident_after = report.resident_before;
    return task.unload_done(report);
  }
  tools_.table->Retire({name, versions, task.trace}, gone);
  if (!is_in_use) return;
  report.is_gone = false;
  task.unload_done(report);
}

void Manager::SetProblem(const std::string& name, const Status& problem) {
  MutexLock lock(&mu_);
  if (problem.ok()) {
    const auto at = records_.find(name);
    if (at != records_.end()) at->second.problem.clear();
    return;
  }
  Record& record = records_[name];
  record.is_wished = true;
  record.problem = problem.ToString();
}

std::map<std::string, std::string> Manager::Problems() const {
  MutexLock lock(&mu_);
  std::map<std::string, std::string> problems;
  for (const auto& [name, record] : records_) problems[name] = record.problem;
  return problems;
}

bool Manager::HasMissing() const {
  MutexLock lock(&mu_);
  return std::any_of(records_.begin(), records_.end(), [](const auto& named) {
    const Record& record = named.second;
    return record.is_wished && !record.served && !record.problem.empty();
  });
}

}  // namespace pt::repo
