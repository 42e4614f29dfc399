#include "backend/worker_records.h"

#include <algorithm>
#include <utility>

#include "infer/execution_record.h"

namespace pt::backend {
namespace {

Duration Smooth(Duration before, Duration now) { return before - before / 4 + now / 4; }

}  // namespace

void WorkerRecords::Begin(uint32_t sequence, Batch* batch, bool is_handed_over, TimePoint now) {
  Running running;
  running.sequence = sequence;
  running.requests = static_cast<int64_t>(batch->requests.size());
  running.taken = batch->started;
  running.sent = now;
  if (is_handed_over) {
    batch->is_handed_over = true;
    running.record = batch->record;
    running.model = batch->requests.front()->handle().Share();
  }
  running_.push_back(std::move(running));
}

void WorkerRecords::Cancel(Batch* batch) {
  batch->is_handed_over = false;
  running_.pop_back();
}

void WorkerRecords::End(uint32_t sequence, Duration run, TimePoint now) {
  while (!running_.empty() && static_cast<int32_t>(running_.front().sequence - sequence) <= 0) {
    Running ended = std::move(running_.front());
    running_.pop_front();
    const int64_t requests = std::max<int64_t>(ended.requests, 1);
    batch_time_ = Smooth(batch_time_, run);
    request_time_ = Smooth(request_time_, run / requests);
    cost_.Record(requests, run);
    // The wait behind the batch before it is none of the model's.
    const TimePoint began = std::max(ended.sent, last_end_);
    last_end_ = now;
    if (!ended.model) continue;
    ended.record.compute_input_ns = Nanoseconds(began - ended.taken);
    ended.record.compute_infer_ns = Nanoseconds(now - began);
    ended.model->stats().AddExecution(ended.record);
  }
}

}  // namespace pt::backend
