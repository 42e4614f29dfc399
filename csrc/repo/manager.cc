#include "repo/manager.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "repo/layout.h"
#include "repo/mapped_model.h"
#include "repo/resident_memory.h"

namespace pt::repo {

using Kind = LoadOutcome::Kind;

Manager::Manager(ManagerOptions options, LoadTools tools)
    : options_(std::move(options)),
      tools_(std::move(tools)),
      pool_("pt-load", options_.thread_count, options_.patience) {}

Manager::~Manager() { Close(kNoDeadline); }

bool Manager::Close(TimePoint deadline) {
  {
    MutexLock lock(&mu_);
    is_closed_ = true;
  }
  GiveUpAll();
  return AwaitIdle(deadline);
}

void Manager::Pause() {
  {
    MutexLock lock(&mu_);
    is_paused_ = true;
  }
  GiveUpAll();
}

void Manager::Resume() {
  std::vector<LoadRequest> requests;
  {
    MutexLock lock(&mu_);
    is_paused_ = false;
    for (auto& [key, record] : records_) {
      if (!std::exchange(record.was_stopped, false)) continue;
      LoadRequest& request = requests.emplace_back();
      request.name = NameOfKey(key);
      request.space = SpaceOfKey(key);
    }
  }
  for (LoadRequest& request : requests) {
    Load(std::move(request), Wish::kStanding, [](const LoadOutcome&) {});
  }
}

void Manager::GiveUpAll() {
  std::vector<Task> refused;
  std::vector<std::pair<std::string, std::shared_ptr<LoadControl>>> running;
  {
    MutexLock lock(&mu_);
    for (auto& [key, record] : records_) {
      for (Task& task : record.waiting) refused.push_back(std::move(task));
      record.waiting.clear();
      if (record.running) running.emplace_back(key, record.running);
      record.was_stopped =
          record.was_stopped || (record.is_busy && record.is_wished && !record.served.has_value());
    }
  }
  for (const Task& task : refused) {
    for (const OutcomeDone& done : task.load_done) done(GivenUp(Closing()));
    if (task.unload_done) task.unload_done(Closing());
  }
  for (const auto& [key, load] : running) GiveUp(key, load, Closing());
}

void Manager::GiveUp(const std::string& key, const std::shared_ptr<LoadControl>& load,
                     const Status& reason) {
  if (!load->Cancel(reason)) return;  // it is over
  const LoadOutcome outcome = GivenUp(reason);
  LogOutcome(std::string(NameOfKey(key)), outcome, tools_.logger);
  for (const OutcomeDone& done : Remember(key, outcome)) done(outcome);
  pool_.Post([this, key] { RunNext(key); });
}

uint64_t Manager::ArmLimit(const std::string& key, const std::shared_ptr<LoadControl>& load) {
  if (options_.alarm == nullptr || options_.load_limit.count() == 0) return 0;
  return options_.alarm->Arm(
      std::chrono::steady_clock::now() + options_.load_limit,
      [this, key, load] { GiveUp(key, load, TookTooLong(NameOfKey(key), options_.load_limit)); });
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
  task.content_key = ContentKey(request);
  task.load_done.push_back(std::move(done));
  task.request = std::move(request);
  Enqueue(std::move(task));
}

void Manager::LoadSettled(const ModelPlace& place, Fingerprint settled, OutcomeDone done) {
  Task task;
  task.request.name = place.name;
  task.request.space = place.space;
  task.dir = place.path;
  task.settled = std::move(settled);
  task.is_wished = true;
  task.load_done.push_back(std::move(done));
  Enqueue(std::move(task));
}

void Manager::Unload(const std::string& key, Trace trace, UnloadDone done) {
  std::shared_ptr<LoadControl> running;
  std::vector<OutcomeDone> waiting;
  {
    MutexLock lock(&mu_);
    const auto at = records_.find(key);
    if (at != records_.end()) {
      running = at->second.running;
      for (Task& task : at->second.waiting) {
        for (OutcomeDone& one : task.load_done) waiting.push_back(std::move(one));
      }
      std::erase_if(at->second.waiting, [](const Task& task) { return !task.unload_done; });
    }
  }
  Task task;
  task.request.name = NameOfKey(key);
  task.request.space = SpaceOfKey(key);
  task.trace = trace;
  task.unload_done = std::move(done);
  Enqueue(std::move(task));
  for (const OutcomeDone& one : waiting) one(GivenUp(WasUnloaded(NameOfKey(key))));
  if (running) GiveUp(key, running, WasUnloaded(NameOfKey(key)));
}

void Manager::Enqueue(Task task) {
  const std::string key = KeyOf(task);
  const bool is_unload = static_cast<bool>(task.unload_done);
  bool is_begun = false;
  bool is_refused = false;
  {
    MutexLock lock(&mu_);
    is_refused = is_closed_ || (is_paused_ && !is_unload);
    if (!is_refused) is_begun = EnqueueLocked(&task);
  }
  if (is_refused) {
    for (const OutcomeDone& done : task.load_done) done(GivenUp(Closing()));
    if (is_unload) task.unload_done(Closing());
    return;
  }
  if (!is_begun) return;  // behind what the model is busy with
  if (!is_unload) return pool_.Post([this, key] { RunNext(key); });
  RunNext(key);  // an unload blocks nobody: it needs no thread, and waits for none
}

bool Manager::EnqueueLocked(Task* task) {
  Record& record = records_[KeyOf(*task)];
  record.is_wished = record.is_wished || task->is_wished;
  Task* last = record.waiting.empty() ? nullptr : &record.waiting.back();
  const bool is_same = record.is_busy && !task->unload_done && last != nullptr &&
                       !last->unload_done && last->content_key == task->content_key &&
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

void Manager::RunNext(const std::string& key) {
  for (;;) {
    Task task;
    std::optional<ServedModel> before;
    TimePoint not_before;
    {
      MutexLock lock(&mu_);
      Record& record = records_[key];
      if (record.waiting.empty()) {
        record.is_busy = false;
        --busy_;
        idle_.NotifyAll();
        // Clients may name what never was: nothing stays of that.
        if (!record.served && record.problem.empty()) records_.erase(key);
        return;
      }
      task = std::move(record.waiting.front());
      record.waiting.pop_front();
      before = record.served;
      if (!task.unload_done) {
        task.control = std::make_shared<LoadControl>();
        record.running = task.control;
        record.load_done = std::move(task.load_done);
        if (record.served) not_before = record.rested;
      }
    }
    if (task.unload_done) {
      RunUnload(task);
      MutexLock lock(&mu_);
      Record& record = records_[key];
      const bool is_load_next = !record.waiting.empty() && !record.waiting.front().unload_done;
      if (!is_load_next) continue;
      // This may be a caller's thread, which must not load.
      pool_.Post([this, key] { RunNext(key); });
      return;
    }
    std::this_thread::sleep_until(not_before);
    if (!RunLoad(key, task, before)) return;
  }
}

bool Manager::RunLoad(const std::string& key, const Task& task,
                      const std::optional<ServedModel>& before) {
  const uint64_t limit = ArmLimit(key, task.control);
  const LoadOutcome outcome = CarryOut(task, before);
  const bool counts = task.control->Finish();
  if (limit != 0) options_.alarm->Disarm(limit);
  if (!counts) return false;
  LogOutcome(task.request.name, outcome, tools_.logger);
  std::vector<OutcomeDone> done = Remember(key, outcome);
  TakeFollowers(task, outcome, &done);
  for (const OutcomeDone& callback : done) callback(outcome);
  return true;
}

Status Manager::Find(const LoadRequest& request, std::string* dir) const {
  if (!request.directory.empty()) {
    PT_ASSIGN_OR_RETURN(*dir, FindMappedModel(request.directory, request.directory_root));
    return {};
  }
  std::vector<std::string> repositories = options_.repositories;
  if (!request.space.empty()) repositories = {request.space};
  PT_ASSIGN_OR_RETURN(const std::vector<ModelPlace> places, FindModel(repositories, request.name));
  if (places.empty()) return NotFound("model not found in any model repository.");
  if (places.size() > 1) return DoubleModel();
  PT_RETURN_IF_ERROR(places.front().problem);
  *dir = places.front().path;
  return {};
}

LoadOutcome Manager::CarryOut(const Task& task, const std::optional<ServedModel>& before) const {
  LoadSource source;
  source.key = KeyOf(task);
  source.request = task.request;
  source.settled = task.settled;
  source.dir = task.dir;
  source.control = task.control;
  const bool is_clients = !task.is_wished && !before;
  if (is_clients && IsOfProgram(source.key)) return LoadModelOfProgram(tools_, source);
  LoadOutcome outcome;
  if (source.dir.empty() && task.request.files.empty()) {
    outcome.reason = Find(task.request, &source.dir);
    if (!outcome.reason.ok()) return outcome;
  }
  return LoadModel(tools_, source, before ? &*before : nullptr);
}

std::vector<OutcomeDone> Manager::Remember(const std::string& key, const LoadOutcome& outcome) {
  counters_->CountLoad(outcome.kind);
  MutexLock lock(&mu_);
  Record& record = records_[key];
  record.running.reset();
  if (outcome.kind != Kind::kUnchanged) {
    record.rested = std::chrono::steady_clock::now() + options_.rest;
  }
  std::vector<OutcomeDone> done = std::move(record.load_done);
  record.load_done.clear();
  switch (outcome.kind) {
    case Kind::kLoaded:
      record.served = outcome.served;
      record.problem.clear();
      return done;
    case Kind::kUnchanged:
      record.problem.clear();
      return done;
    case Kind::kChanged:
      return done;
    case Kind::kUnusable:
      // A name that is nowhere is no model with a problem, unless the start asked for it.
      if (!outcome.fingerprint && !record.served && !record.is_wished) return done;
      break;
    case Kind::kFailed:
    case Kind::kCancelled:
      break;
  }
  record.problem = ProblemText(outcome.reason);
  return done;
}

void Manager::TakeFollowers(const Task& task, const LoadOutcome& outcome,
                            std::vector<OutcomeDone>* done) {
  if (outcome.kind != Kind::kFailed || !outcome.fingerprint || task.settled) return;
  if (task.request.files.empty()) {
    std::string dir;
    if (!Find(task.request, &dir).ok()) return;
    const Result<TreeLook> now = LookAtTree(dir, {});
    if (!now.ok() || now->fingerprint != *outcome.fingerprint) return;
  }
  MutexLock lock(&mu_);
  std::deque<Task>& waiting = records_[KeyOf(task)].waiting;
  while (!waiting.empty() && !waiting.front().unload_done &&
         waiting.front().content_key == task.content_key && !waiting.front().settled) {
    for (OutcomeDone& callback : waiting.front().load_done) done->push_back(std::move(callback));
    waiting.pop_front();
  }
}

void Manager::RunUnload(const Task& task) {
  const std::string key = KeyOf(task);
  UnloadReport report;
  report.resident_before = ResidentBytes();
  const bool is_in_use = tools_.table->InFlight(key) > 0;
  Trace trace = task.trace;
  {
    MutexLock lock(&mu_);
    Record& record = records_[key];
    // Clients may upload models of ever new names: nothing stays of them.
    if (record.served && record.served->is_uploaded) trace = Trace::kNone;
    record.served.reset();
    record.problem.clear();
    record.is_wished = false;
    record.was_stopped = false;
  }
  tools_.table->Clear(key, trace);
  // Requests may keep the model longer than this manager lives.
  const auto gone = [counters = counters_, logger = tools_.logger, name = task.request.name, report,
                     is_in_use, done = task.unload_done]() mutable {
    GiveMemoryBack();
    report.resident_after = ResidentBytes();
    PT_LOG(logger, kInfo, "successfully unloaded '" + name + "'");
    counters->CountUnload(report);
    if (!is_in_use) done(report);
  };
  std::vector<int64_t> versions = tools_.table->ReadyVersions(key);
  // A directory that is gone takes no model of the program along that has its name.
  if (task.trace == Trace::kNone && IsOfProgram(key)) versions.clear();
  if (versions.empty()) {
    report.resident_after = report.resident_before;
    return task.unload_done(report);
  }
  tools_.table->Retire({key, versions, trace}, gone);
  if (!is_in_use) return;
  report.is_gone = false;
  task.unload_done(report);
}

void Manager::SetProblem(const std::string& key, const Status& problem) {
  MutexLock lock(&mu_);
  if (problem.ok()) {
    const auto at = records_.find(key);
    if (at != records_.end()) at->second.problem.clear();
    return;
  }
  Record& record = records_[key];
  record.is_wished = true;
  record.problem = ProblemText(problem);
}

std::map<std::string, std::string> Manager::Problems() const {
  MutexLock lock(&mu_);
  std::map<std::string, std::string> problems;
  for (const auto& [key, record] : records_) problems[key] = record.problem;
  return problems;
}

std::vector<std::string> Manager::KeysOf(const std::string& name) const {
  std::set<std::string> keys;
  if (IsOfProgram(name)) keys.insert(name);  // it is in no repository
  MutexLock lock(&mu_);
  for (const auto& [key, record] : records_) {
    if (NameOfKey(key) == name) keys.insert(key);
  }
  return {keys.begin(), keys.end()};
}

bool Manager::HasMissing() const {
  MutexLock lock(&mu_);
  return std::any_of(records_.begin(), records_.end(), [](const auto& named) {
    const Record& record = named.second;
    return record.is_wished && !record.served && !record.problem.empty();
  });
}

}  // namespace pt::repo
