#include "infer/stats.h"

#include <chrono>

#include "infer/execution_record.h"

namespace pt {
namespace {

uint64_t NowMs() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

}  // namespace

void ModelStats::AddExecution(const ExecutionRecord& record) {
  const uint64_t now_ms = NowMs();
  MutexLock lock(&mu_);
  all_.last_inference_ms = now_ms;
  ++all_.execution_count;
  all_.inference_count += record.succeeded_size;
  all_.success.Add(record.succeeded, record.success_ns);
  all_.fail.Add(record.failed, record.fail_ns);
  all_.failures[static_cast<size_t>(FailureReason::kBackend)] += record.failed;
  all_.queue.Add(record.requests, record.queue_ns);
  // Each request is charged the time of its whole batch.
  all_.compute_input.Add(record.requests, record.requests * record.compute_input_ns);
  all_.compute_infer.Add(record.requests, record.requests * record.compute_infer_ns);
  all_.compute_output.Add(record.requests, record.requests * record.compute_output_ns);
  BatchStat& batch = all_.batches[record.batch_size];
  batch.compute_input.Add(1, record.compute_input_ns);
  batch.compute_infer.Add(1, record.compute_infer_ns);
  batch.compute_output.Add(1, record.compute_output_ns);
  all_.request_us += record.success_us;
  all_.queue_us += record.queue_us;
  all_.compute_input_us += record.requests * (record.compute_input_ns / 1000);
  all_.compute_infer_us += record.requests * (record.compute_infer_ns / 1000);
  all_.compute_output_us += record.requests * (record.compute_output_ns / 1000);
}

void ModelStats::AddFailure(FailureReason reason, Duration taken) {
  const uint64_t now_ms = NowMs();
  MutexLock lock(&mu_);
  // Only the backend's own failures reached the model.
  if (reason == FailureReason::kBackend) all_.last_inference_ms = now_ms;
  all_.fail.Add(1, Nanoseconds(taken));
  ++all_.failures[static_cast<size_t>(reason)];
}

void ModelStats::AddSuccess(uint64_t batch_size, Duration taken) {
  const uint64_t now_ms = NowMs();
  const uint64_t ns = Nanoseconds(taken);
  MutexLock lock(&mu_);
  all_.last_inference_ms = now_ms;
  all_.inference_count += batch_size;
  all_.success.Add(1, ns);
  all_.request_us += ns / 1000;
}

void ModelStats::AddCacheHit(Duration waited, Duration lookup, Duration taken) {
  const uint64_t now_ms = NowMs();
  MutexLock lock(&mu_);
  all_.last_inference_ms = now_ms;
  all_.cache_hit.Add(1, Nanoseconds(lookup));
  all_.queue.Add(1, Nanoseconds(waited));
  all_.queue_us += Nanoseconds(waited) / 1000;
  all_.success.Add(1, Nanoseconds(taken));
  all_.request_us += Nanoseconds(taken) / 1000;
}

void ModelStats::AddCacheMiss(uint64_t count, Duration taken) {
  MutexLock lock(&mu_);
  all_.cache_miss.Add(count, Nanoseconds(taken));
}

StatsSnapshot ModelStats::Snapshot() const {
  MutexLock lock(&mu_);
  return all_;
}

}  // namespace pt
