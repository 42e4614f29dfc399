#include "backend/worker_keeper.h"

#include <algorithm>
#include <utility>

namespace pt::backend {
namespace {

using std::chrono::milliseconds;

// A process that lived this long didn't die of its start.
constexpr Duration kLivedLong = std::chrono::seconds(10);

Status GivenUp() { return Unavailable("the load was given up"); }

// In the answer to kInitialize, as _worker.py writes it.
constexpr std::string_view kHasIsReady = "\"has_is_ready\": true";

// How often a replacement may die while it loads before requests are failed for it.
constexpr int kDeathsAtLoad = 2;

// The first replacement comes at once; those of a worker that keeps dying within a second.
milliseconds DelayAfterDeath(int quick_deaths) {
  return quick_deaths == 0
             ? milliseconds(0)
             : std::min(milliseconds(25 << std::min(quick_deaths, 5)), milliseconds(800));
}

// A load that fails again and again is tried less and less often.
milliseconds DelayAfterFailure(int failures) {
  return std::min(milliseconds(100 << std::min(failures, 7)), milliseconds(10000));
}

}  // namespace

WorkerKeeper::WorkerKeeper(const WorkerHub& hub, WorkerSpec spec, WorkerLimits limits)
    : hub_(hub), spec_(std::move(spec)), limits_(limits) {}

WorkerKeeper::~WorkerKeeper() { Stop(); }

Status WorkerKeeper::StartProcess() {
  const auto weak = weak_from_this();
  // Known to the callback before the death can be: it compares addresses only.
  auto started = std::make_shared<const WorkerProcess*>(nullptr);
  auto result = WorkerProcess::Start(hub_, spec_, [weak, started] {
    if (const auto self = weak.lock()) self->OnDeath(*started);
  });
  if (!result.ok()) return result.status();
  starting_ = std::move(*result);
  const WorkerProcess* address = starting_.get();
  hub_.monitor->RunAndWait([&] { *started = address; });
  MutexLock lock(&mu_);
  newest_ = starting_;
  if (!is_aborted_) return {};
  starting_->Kill();
  return GivenUp();
}

Result<std::string> WorkerKeeper::Complete(std::string_view setup, std::string_view config) {
  PT_RETURN_IF_ERROR(StartProcess());
  PT_ASSIGN_OR_RETURN([[maybe_unused]] std::string none,
                      starting_->Ask(ToWorker::kSetup, setup, Deadline()));
  return starting_->Ask(ToWorker::kComplete, config, Deadline());
}

Status WorkerKeeper::LoadInto(WorkerProcess* process) {
  auto reply = process->Ask(ToWorker::kSetup, setup_, Deadline());
  std::string arguments;
  {
    MutexLock lock(&mu_);
    arguments = arguments_;
  }
  if (reply.ok()) reply = process->Ask(ToWorker::kInitialize, arguments, Deadline());
  if (reply.ok()) process->NoteLoaded();
  if (reply.ok() && reply->find(kHasIsReady) != std::string::npos) process->readiness()->Watch();
  return reply.ok() ? Status() : reply.status();
}

Status WorkerKeeper::Load(std::string setup, std::string arguments) {
  setup_ = std::move(setup);
  SetArguments(std::move(arguments));
  if (!starting_ || starting_->is_dead()) PT_RETURN_IF_ERROR(StartProcess());
  Status status = LoadInto(starting_.get());
  if (!status.ok()) {
    starting_->Kill();
    starting_.reset();
    return status;
  }
  bool is_dead = false;
  const WorkerProcess* address = starting_.get();
  {
    MutexLock lock(&mu_);
    if (is_aborted_) return GivenUp();
    process_ = std::move(starting_);
    state_ = State::kReady;
    ready_since_ = std::chrono::steady_clock::now();
    is_dead = process_->is_dead();
  }
  if (is_dead) OnDeath(address);  // before it was ours
  return {};
}

void WorkerKeeper::SetArguments(std::string arguments) {
  MutexLock lock(&mu_);
  arguments_ = std::move(arguments);
}

Result<std::shared_ptr<WorkerProcess>> WorkerKeeper::Wait(FunctionRef<void()> patience) {
  {
    MutexLock lock(&mu_);
    if (state_ == State::kReady && !process_->is_dead()) return process_;
  }
  patience();
  MutexLock lock(&mu_);
  const int failures = failures_;
  while (true) {
    if (state_ == State::kReady && !process_->is_dead()) return process_;
    if (state_ == State::kStopped || state_ == State::kEmpty) {
      return Internal("Stub process '" + spec_.instance_name + "' is not healthy.\nit was stopped");
    }
    // An attempt that began before may still succeed; one that has failed is an answer.
    if (failures_ > 0 && (failures_ != failures || failures > 1)) return last_error_;
    changed_.Wait(&mu_);
  }
}

std::shared_ptr<WorkerProcess> WorkerKeeper::current() const {
  MutexLock lock(&mu_);
  return state_ == State::kReady ? process_ : nullptr;
}

void WorkerKeeper::WaitForChange(Duration limit) {
  const TimePoint until = std::chrono::steady_clock::now() + limit;
  MutexLock lock(&mu_);
  const int failures = failures_;
  while (state_ == State::kReplacing && failures_ == failures &&
         std::chrono::steady_clock::now() < until) {
    changed_.WaitUntil(&mu_, until);
  }
}

Status WorkerKeeper::Health() const {
  MutexLock lock(&mu_);
  if (state_ != State::kReady || process_->is_dead()) {
    return Unavailable("Stub process '" + spec_.instance_name + "' is not healthy.");
  }
  return process_->readiness()->status();
}

void WorkerKeeper::OnDeath(const WorkerProcess* process) {
  MutexLock lock(&mu_);
  if (state_ != State::kReady || process_.get() != process) return;
  PT_LOG(hub_.logger, kError, process_->death());
  const auto lived = std::chrono::steady_clock::now() - ready_since_;
  quick_deaths_ = lived > kLivedLong ? 0 : quick_deaths_ + 1;
  state_ = State::kReplacing;
  failures_ = 0;
  changed_.NotifyAll();
  // The last one has ended: it made the state kReady as its last act but returning.
  if (replacer_.joinable()) replacer_.join();
  replacer_ = std::thread([self = shared_from_this()] { self->Replace(); });
}

bool WorkerKeeper::WaitForTurn(int attempt) {
  MutexLock lock(&mu_);
  const auto delay = attempt == 0 ? DelayAfterDeath(quick_deaths_ - 1) : DelayAfterFailure(attempt);
  const TimePoint until = std::chrono::steady_clock::now() + delay;
  while (state_ != State::kStopped && std::chrono::steady_clock::now() < until) {
    changed_.WaitUntil(&mu_, until);
  }
  return state_ != State::kStopped;
}

void WorkerKeeper::Replace() {
  int deaths = 0;
  for (int attempt = 0; WaitForTurn(attempt); ++attempt) {
    Status status = StartProcess();
    if (status.ok()) status = LoadInto(starting_.get());
    // Killed on its way: that says nothing against the model, until it happens again and again.
    if (!status.ok() && starting_ && starting_->is_dead() && ++deaths <= kDeathsAtLoad) {
      PT_LOG(hub_.logger, kError, status.message());
      starting_.reset();
      --attempt;
      continue;
    }
    MutexLock lock(&mu_);
    if (state_ == State::kStopped) return;
    if (status.ok() && !starting_->is_dead()) {
      process_ = std::move(starting_);
      state_ = State::kReady;
      failures_ = 0;
      ready_since_ = std::chrono::steady_clock::now();
      changed_.NotifyAll();
      return;
    }
    if (starting_) starting_->Kill();
    starting_.reset();
    last_error_ = status.ok() ? Internal("Stub process '" + spec_.instance_name +
                                         "' is not healthy.\nit ended at once")
                              : status;
    ++failures_;
    PT_LOG(hub_.logger, kError,
           "can't replace the worker of '" + spec_.instance_name + "': " + last_error_.message());
    changed_.NotifyAll();
  }
}

void WorkerKeeper::Abort() {
  std::shared_ptr<WorkerProcess> process;
  {
    MutexLock lock(&mu_);
    is_aborted_ = true;
    state_ = State::kStopped;
    process = newest_.lock();
    changed_.NotifyAll();
  }
  if (process) process->Kill();
}

void WorkerKeeper::Stop() {
  std::shared_ptr<WorkerProcess> process;
  std::thread replacer;
  {
    MutexLock lock(&mu_);
    state_ = State::kStopped;
    process = std::move(process_);
    replacer = std::move(replacer_);
    changed_.NotifyAll();
  }
  // The last reference may be the replacer's own.
  if (replacer.joinable() && replacer.get_id() == std::this_thread::get_id()) {
    replacer.detach();
  } else if (replacer.joinable()) {
    replacer.join();
  }
  if (!process) process = std::move(starting_);
  if (!process || process->is_dead()) return;
  const TimePoint deadline = std::chrono::steady_clock::now() + limits_.finalize;
  const auto reply = process->Ask(ToWorker::kFinalize, {}, deadline);
  if (!reply.ok()) {
    PT_LOG(hub_.logger, kWarning,
           "model instance '" + spec_.instance_name +
               "' was ended without being finalized: " + reply.status().message());
  }
  process->Kill();  // it has said all it had to say
}

}  // namespace pt::backend
