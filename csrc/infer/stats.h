// ModelStats: the counters behind statistics and metrics (spec/triton-frontend 5 and 7).
//
// Thread rule: thread-safe; one lock per batch, not per request, on the hot path.
#pragma once

#include <array>
#include <cstdint>
#include <map>

#include "base/clock.h"
#include "base/mutex.h"

namespace pt {

struct DurationStat {
  uint64_t count = 0;
  uint64_t ns = 0;
  void Add(uint64_t n, uint64_t nanoseconds) {
    count += n;
    ns += nanoseconds;
  }
};

enum class FailureReason { kRejected, kCancelled, kBackend, kOther };

struct BatchStat {
  DurationStat compute_input;
  DurationStat compute_infer;
  DurationStat compute_output;
};

// A copy of all counters at one moment.
struct StatsSnapshot {
  uint64_t last_inference_ms = 0;  // since the epoch; 0: none yet
  uint64_t inference_count = 0;    // sum of batch sizes that succeeded
  uint64_t execution_count = 0;    // batches, failed ones included
  DurationStat success;
  DurationStat fail;
  DurationStat queue;
  DurationStat compute_input;
  DurationStat compute_infer;
  DurationStat compute_output;
  DurationStat cache_hit;
  DurationStat cache_miss;
  std::array<uint64_t, 4> failures{};     // by FailureReason
  std::map<uint64_t, BatchStat> batches;  // by batch size
  // Sums of each request's durations cut to microseconds, as the metrics count them.
  uint64_t request_us = 0;
  uint64_t queue_us = 0;
  uint64_t compute_input_us = 0;
  uint64_t compute_infer_us = 0;
  uint64_t compute_output_us = 0;
};

// What one execution adds; made on the instance thread, added under one lock.
struct ExecutionRecord {
  uint64_t batch_size = 0;      // sum over the requests
  uint64_t requests = 0;        // taken
  uint64_t succeeded = 0;       // requests
  uint64_t succeeded_size = 0;  // sum of their batch sizes
  uint64_t failed = 0;          // requests
  uint64_t queue_ns = 0;        // sums over the requests
  uint64_t queue_us = 0;
  uint64_t success_ns = 0;
  uint64_t success_us = 0;
  uint64_t fail_ns = 0;
  uint64_t compute_input_ns = 0;  // of the execution
  uint64_t compute_infer_ns = 0;
  uint64_t compute_output_ns = 0;
};

class ModelStats {
 public:
  void AddExecution(const ExecutionRecord& record) EXCLUDES(mu_);
  // A request that ended outside an execution (rejected, cancelled in the queue, dropped), or whose
  // answer came later than its execution (coroutine, stream): then `ok` with its duration.
  void AddFailure(FailureReason reason, Duration taken) EXCLUDES(mu_);
  void AddSuccess(uint64_t batch_size, Duration taken) EXCLUDES(mu_);
  // A request that the response cache answered: time before the lookup, of the lookup, in all.
  void AddCacheHit(Duration waited, Duration lookup, Duration taken) EXCLUDES(mu_);
  // Lookups that found nothing, and what they (or keeping the answer) took.
  void AddCacheMiss(uint64_t count, Duration taken) EXCLUDES(mu_);
  StatsSnapshot Snapshot() const EXCLUDES(mu_);

 private:
  mutable Mutex mu_;
  StatsSnapshot all_ GUARDED_BY(mu_);
};

}  // namespace pt
