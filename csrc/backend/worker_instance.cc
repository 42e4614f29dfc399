#include "backend/worker_instance.h"

#include <algorithm>
#include <utility>

#include "infer/scheduler.h"

namespace pt::backend {
namespace {

using std::chrono::steady_clock;

constexpr uint32_t kMostAhead = 64;
// How long an instance without a process keeps out of the way; an unload waits for it.
constexpr Duration kBench = std::chrono::milliseconds(500);

}  // namespace

WorkerInstance::WorkerInstance(std::shared_ptr<WorkerKeeper> keeper, Plan plan)
    : keeper_(std::move(keeper)), plan_(std::move(plan)) {}

Status WorkerInstance::Start() {
  return keeper_->Load(std::move(plan_.setup), std::move(plan_.arguments));
}

void WorkerInstance::Stop() { keeper_->Stop(); }

bool WorkerInstance::MayRunAhead(const Scheduler& scheduler, const WorkerProcess& process) const {
  if (plan_.ahead.count() == 0) return false;
  const auto depth = static_cast<uint32_t>(
      std::clamp<int64_t>(plan_.ahead / std::max(process.run_time(), Duration(1)), 1, kMostAhead));
  return process.pending() + 1 < depth && scheduler.queued() > 0;
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
    const auto may_leave = [&] { return MayRunAhead(scheduler, **process); };
    if ((*process)->Execute(batch, patience, may_leave).ok()) break;
    // It died before: nothing was taken.
  }
  times->infer_end = steady_clock::now();
}

}  // namespace pt::backend
