// WorkerRecords: the executions that a worker process was handed and that have not ended: how many
// requests each has and what the model's statistics get when it ends. Measures what a request costs
// the worker.
//
// Thread rule: one thread at a time (WorkerProcess says who). Owner rule: pins the model versions
// of executions that were handed over, until they end.
#pragma once

#include <cstdint>
#include <deque>

#include "backend/batch_cost.h"
#include "base/clock.h"
#include "infer/backend.h"

namespace pt::backend {

class WorkerRecords {
 public:
  // What a batch and what a request is expected to take until one has ended.
  static constexpr Duration kUnknown = std::chrono::milliseconds(1);

  // A batch with this number is about to go to the worker. Numbers ascend. One that is handed over
  // is counted here, else by the executor.
  void Begin(uint32_t sequence, Batch* batch, bool is_handed_over, TimePoint now);
  // The last one didn't go after all.
  void Cancel(Batch* batch);
  // The batch has ended, and with it those before it. `run`: what the worker says it took.
  void End(uint32_t sequence, Duration run, TimePoint now);
  // The worker is dead: no execution of it counts.
  void Clear() { running_.clear(); }

  // What a batch and what a request takes, smoothed.
  Duration batch_time() const { return batch_time_; }
  Duration request_time() const { return request_time_; }
  // What a batch takes beside what its requests take.
  Duration fixed_time() const { return cost_.fixed(); }

 private:
  struct Running {
    uint32_t sequence = 0;
    int64_t requests = 0;
    ModelHandle model;  // empty: the executor counts
    ExecutionRecord record;
    TimePoint taken;
    TimePoint sent;
  };

  std::deque<Running> running_;
  TimePoint last_end_;
  Duration batch_time_ = kUnknown;
  Duration request_time_ = kUnknown;
  BatchCost cost_;
};

}  // namespace pt::backend
