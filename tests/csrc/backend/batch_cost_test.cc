#include "backend/batch_cost.h"

#include <gtest/gtest.h>

namespace pt::backend {
namespace {

using std::chrono::microseconds;

// Batches of these sizes in turn, each of which takes `fixed` and `each` for a request.
void RunBatches(BatchCost* cost, std::initializer_list<int64_t> sizes, microseconds fixed,
                microseconds each) {
  for (int i = 0; i < 200; ++i) {
    for (const int64_t size : sizes) cost->Record(size, fixed + size * each);
  }
}

TEST(BatchCostTest, TellsWhatABatchTakesBesideItsRequests) {
  BatchCost cost;
  RunBatches(&cost, {32, 31, 33, 20}, microseconds(300), microseconds(4));
  EXPECT_NEAR(static_cast<double>(cost.fixed().count()), 300e3, 3e3);
  RunBatches(&cost, {1, 60}, microseconds(10), microseconds(8));
  EXPECT_NEAR(static_cast<double>(cost.fixed().count()), 10e3, 3e3);
}

TEST(BatchCostTest, BatchesOfOneSizeTellNothing) {
  BatchCost cost;
  RunBatches(&cost, {64}, microseconds(300), microseconds(4));
  EXPECT_EQ(cost.fixed().count(), 0);
}

TEST(BatchCostTest, WhatWasLearnedIsDoubtedWhenAllBatchesHaveOneSize) {
  BatchCost cost;
  RunBatches(&cost, {32, 64}, microseconds(300), microseconds(4));
  RunBatches(&cost, {64}, microseconds(300), microseconds(4));
  EXPECT_FALSE(BatchCost::PartsWell(cost.fixed(), 64));
  for (int i = 0; i < 20; ++i) RunBatches(&cost, {64}, microseconds(300), microseconds(4));
  EXPECT_TRUE(BatchCost::PartsWell(cost.fixed(), 64));
  cost.Record(32, microseconds(300 + 32 * 4));
  cost.Record(32, microseconds(300 + 32 * 4));
  EXPECT_FALSE(BatchCost::PartsWell(cost.fixed(), 64));  // learned again at once
}

TEST(BatchCostTest, LargerBatchesThatArentSlowerCostNothingForARequest) {
  BatchCost cost;
  RunBatches(&cost, {8, 64}, microseconds(100), microseconds(-1));
  EXPECT_NEAR(static_cast<double>(cost.fixed().count()), 64e3, 10e3);
}

TEST(BatchCostTest, OneBatchThatWasKeptFromItsCpuChangesLittle) {
  BatchCost cost;
  RunBatches(&cost, {32, 64}, microseconds(10), microseconds(4));
  cost.Record(32, std::chrono::milliseconds(100));
  EXPECT_LT(cost.fixed(), microseconds(200));  // it would be milliseconds
}

TEST(BatchCostTest, AWorkerMayClaimAnyTime) {
  BatchCost cost;
  for (int i = 0; i < 200; ++i) {
    cost.Record(1, Duration::max());
    cost.Record(64, Duration::max());
    cost.Record(64, Duration::min());
  }
  EXPECT_GE(cost.fixed().count(), 0);
  EXPECT_LE(cost.fixed(), std::chrono::hours(1));
}

TEST(BatchCostTest, ManyRequestsPartWellWhereABatchCostsLittle) {
  EXPECT_TRUE(BatchCost::PartsWell(microseconds(20), 1));
  EXPECT_FALSE(BatchCost::PartsWell(microseconds(60), 16));
  EXPECT_TRUE(BatchCost::PartsWell(microseconds(60), 64));
  EXPECT_FALSE(BatchCost::PartsWell(microseconds(100), 64));
}

}  // namespace
}  // namespace pt::backend
