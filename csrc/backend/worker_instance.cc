#include "backend/worker_instance.h"

#include <algorithm>
#include <utility>

#include "backend/batch_cost.h"
#include "base/usable_cpus.h"
#include "infer/scheduler.h"

namespace pt::backend {
namespace {

using std::chrono::steady_clock;

constexpr uint32_t kMostAhead = 64;
// How long an instance without a process keeps out of the way; an unload waits for it.
constexpr Duration kBench = std::chrono::milliseconds(500);
// Of a model with a batcher: one batch that runs, one that waits.
constexpr uint32_t kMostBatches = 2;
// Below this many, two batches cost more than they overlap.
constexpr size_t kFewestToHalve = 16;
// How long a worker may leave answers unannounced while it has more to do.
constexpr Duration kLongestSilence = std::chrono::milliseconds(1);

}  // namespace

WorkerInstance::WorkerInstance(std::shared_ptr<WorkerKeeper> keeper, Plan plan)
    : keeper_(std::move(keeper)), plan_(std::move(plan)), vigil_(UsableCpus()) {}

Status WorkerInstance::Start() {
  return keeper_->Load(std::move(plan_.setup), std::move(plan_.arguments));
}

void WorkerInstance::Settle() {
  // The place may be another one's when a process dies: what it held has ended then.
  if (const auto process = keeper_->current()) process->AwaitIdle();
}

void WorkerInstance::Stop() { keeper_->Stop(); }

bool WorkerInstance::MayRunAhead(const Scheduler& scheduler, const WorkerProcess& process) const {
  if (plan_.ahead.count() == 0) return false;
  return process.pending() + 1 < Depth(process) && scheduler.queued() > 0;
}

uint32_t WorkerInstance::Depth(const WorkerProcess& process) const {
  if (plan_.cheap_request) {
    const int64_t usual_size = process.run_time() / std::max(process.request_time(), Duration(1));
    const bool overlaps = process.request_time() <= *plan_.cheap_request &&
                          BatchCost::PartsWell(process.fixed_time(), kMostBatches * usual_size);
    return overlaps && plan_.is_single() ? kMostBatches : 1;
  }
  if (plan_.ahead.count() == 0) return 1;
  return static_cast<uint32_t>(
      std::clamp<int64_t>(plan_.ahead / std::max(process.run_time(), Duration(1)), 1, kMostAhead));
}

bool WorkerInstance::ListenTo(const std::shared_ptr<WorkerProcess>& process) {
  if (heard_ == process) return true;
  StopListening();
  if (!loop_->Watch(process->loop_bell(), this).ok()) return false;
  heard_ = process;
  heard_->BeginFollowing();
  return true;
}

void WorkerInstance::StopListening() {
  if (!heard_) return;
  loop_->Unwatch(heard_->loop_bell(), this);
  heard_->EndFollowing();
  heard_.reset();
}

void WorkerInstance::Unfollow() {
  StopListening();
  loop_ = nullptr;
  can_take_.store(true, std::memory_order_release);
}

void WorkerInstance::OnSignal() {
  if (!heard_) return;
  heard_->Read();
  UpdateCanTake();
}

bool WorkerInstance::Rest() {
  if (!heard_) return false;
  bool has_ended = false;
  if (heard_->pending() == 1 && vigil_.IsDue(heard_->run_time())) {
    has_ended = heard_->KeepVigil(Vigil::kLongest);
    vigil_.Ended(!has_ended);
  }
  // Of two batches the first one's clients are to hear at once, while the second one runs.
  const bool has_more = heard_->pending() > 1 && !plan_.cheap_request;
  if (has_more) loop_->LimitWait(kLongestSilence);
  const bool has_read =
      heard_->Rest(has_more ? WorkerProcess::Ringing::kSoon : WorkerProcess::Ringing::kAtOnce);
  UpdateCanTake();
  return has_read || has_ended;
}

void WorkerInstance::UpdateCanTake() {
  const bool can_take = heard_->is_dead() || heard_->pending() == 0 ||
                        (heard_->pending() < Depth(*heard_) && heard_->has_room());
  can_take_.store(can_take, std::memory_order_release);
}

size_t WorkerInstance::Share(size_t waiting) const {
  const bool halves = waiting >= kFewestToHalve && plan_.cheap_request && heard_ &&
                      heard_->pending() == 0 && Depth(*heard_) == kMostBatches &&
                      BatchCost::PartsWell(heard_->fixed_time(), static_cast<int64_t>(waiting));
  return halves ? waiting - waiting / 2 : waiting;
}

bool WorkerInstance::HandOver(Batch* batch, const std::shared_ptr<WorkerProcess>& process) {
  if (loop_ == nullptr || !ListenTo(process)) return false;
  vigil_.Count(batch->requests.size() == 1 && process->is_idle());
  const bool is_taken = process->HandOver(batch).ok();
  UpdateCanTake();
  return is_taken;
}

void WorkerInstance::RunNothing(Batch* batch, const Status& reason) {
  if (plan_.has_other && plan_.has_other()) {
    // Failing at once it would be idle again at once, and draw all requests to itself.
    Scheduler& scheduler = batch->requests.front()->handle()->scheduler();
    RequestList list;
    for (RequestPtr& request : batch->requests) {
      request->AnswerLater();
      list.push_back(std::move(request));
    }
    scheduler.Submit(std::move(list), nullptr);
    keeper_->WaitForChange(kBench);
    return;
  }
  for (InferResponse& response : batch->responses) {
    response.status = Internal("Failed to process the request(s) for model '" + plan_.name +
                               "', message: " + reason.message());
  }
}

void WorkerInstance::Execute(Batch* batch, ExecutionTimes* times) {
  times->input_end = steady_clock::now();
  const auto patience = [batch] {
    if (batch->before_long_wait) batch->before_long_wait();
  };
  const Scheduler& scheduler = batch->requests.front()->handle()->scheduler();
  while (true) {
    auto process = keeper_->Wait(patience);
    if (!process.ok()) {
      RunNothing(batch, process.status());
      break;
    }
    if (HandOver(batch, *process)) break;
    if (heard_) {
      // It died, or holds more than it can: not to be waited for on a loop.
      patience();
      continue;
    }
    const auto may_leave = [&] { return MayRunAhead(scheduler, **process); };
    if ((*process)->Execute(batch, patience, may_leave).ok()) break;
    // It died before: nothing was taken.
  }
  times->infer_end = steady_clock::now();
}

}  // namespace pt::backend
