#include "infer/stats.h"

#include <gtest/gtest.h>

#include <chrono>

namespace pt {
namespace {

TEST(ModelStatsTest, ChargesEachRequestItsWholeBatch) {
  ModelStats stats;
  ExecutionRecord record;
  record.batch_size = 6;
  record.requests = 3;
  record.succeeded = 2;
  record.succeeded_size = 4;
  record.failed = 1;
  record.queue_ns = 900;
  record.success_ns = 5000;
  record.success_us = 4;
  record.fail_ns = 70;
  record.compute_input_ns = 1999;
  record.compute_infer_ns = 3000;
  record.compute_output_ns = 10;
  stats.AddExecution(record);
  const StatsSnapshot all = stats.Snapshot();
  EXPECT_EQ(all.execution_count, 1u);
  EXPECT_EQ(all.inference_count, 4u);
  EXPECT_EQ(all.success.count, 2u);
  EXPECT_EQ(all.success.ns, 5000u);
  EXPECT_EQ(all.fail.count, 1u);
  EXPECT_EQ(all.failures[static_cast<size_t>(FailureReason::kBackend)], 1u);
  EXPECT_EQ(all.queue.count, 3u);
  EXPECT_EQ(all.compute_input.count, 3u);
  EXPECT_EQ(all.compute_input.ns, 3u * 1999);
  EXPECT_EQ(all.compute_input_us, 3u) << "cut to microseconds per request";
  EXPECT_EQ(all.request_us, 4u);
  EXPECT_GT(all.last_inference_ms, 1'600'000'000'000u);
  ASSERT_EQ(all.batches.count(6), 1u);
  EXPECT_EQ(all.batches.at(6).compute_infer.count, 1u);
  EXPECT_EQ(all.batches.at(6).compute_infer.ns, 3000u);
}

TEST(ModelStatsTest, KeepsOneEntryPerBatchSize) {
  ModelStats stats;
  ExecutionRecord record;
  for (const uint64_t size : {4, 1, 4}) {
    record.batch_size = size;
    stats.AddExecution(record);
  }
  const StatsSnapshot all = stats.Snapshot();
  ASSERT_EQ(all.batches.size(), 2u);
  EXPECT_EQ(all.batches.begin()->first, 1u);
  EXPECT_EQ(all.batches.at(4).compute_input.count, 2u);
}

TEST(ModelStatsTest, CountsWhatEndedOutsideAnExecution) {
  ModelStats stats;
  stats.AddFailure(FailureReason::kRejected, std::chrono::microseconds(5));
  EXPECT_EQ(stats.Snapshot().last_inference_ms, 0u);
  stats.AddSuccess(2, std::chrono::nanoseconds(1999));
  const StatsSnapshot all = stats.Snapshot();
  EXPECT_EQ(all.fail.ns, 5000u);
  EXPECT_EQ(all.failures[static_cast<size_t>(FailureReason::kRejected)], 1u);
  EXPECT_EQ(all.success.count, 1u);
  EXPECT_EQ(all.inference_count, 2u);
  EXPECT_EQ(all.request_us, 1u);
  EXPECT_EQ(all.execution_count, 0u);
}

}  // namespace
}  // namespace pt
