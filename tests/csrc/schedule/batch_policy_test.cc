// The batch decision as a table: sizes that wait, limits, age -> how many are taken or how long to
// wait.
#include "schedule/batch_policy.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "schedule/fake_requests.h"

namespace pt::schedule {
namespace {

using std::chrono::milliseconds;

struct Case {
  std::string name;
  std::vector<int64_t> waiting;  // batch sizes in queue order
  int64_t max_size;
  std::vector<int32_t> preferred;
  int delay_ms;
  int age_ms;  // of the oldest
  size_t take;
};

class BatchPolicyTest : public testing::TestWithParam<Case> {};

TEST_P(BatchPolicyTest, TakesAsDocumented) {
  const Case& c = GetParam();
  FakeModel model(c.max_size);
  model.config.dynamic_batching.preferred_batch_sizes = c.preferred;
  model.config.dynamic_batching.max_queue_delay_us = static_cast<uint64_t>(c.delay_ms) * 1000;
  const BatchLimits limits = BatchLimits::For(model.config);
  const TimePoint start{};
  RequestList requests;
  for (int64_t size : c.waiting) requests.push_back(model.Request(size, start));

  BatchForm form(&limits);
  for (const RequestPtr& request : requests) {
    if (!form.Offer(*request)) break;
  }
  const BatchDecision decision = form.Decide(start + milliseconds(c.age_ms));
  EXPECT_EQ(decision.take, c.take);
  if (c.take == 0 && !c.waiting.empty()) {
    EXPECT_EQ(decision.wait_until, start + milliseconds(c.delay_ms));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Table, BatchPolicyTest,
    testing::Values(Case{"Nothing", {}, 8, {}, 0, 0, 0}, Case{"OneAtOnce", {1}, 8, {}, 0, 0, 1},
                    Case{"AllThatFit", {1, 1, 1}, 8, {}, 0, 0, 3},
                    Case{"UpToTheMaximum", {1, 1, 1, 1, 1}, 4, {}, 0, 0, 4},
                    Case{"NeverSplits", {3, 3}, 4, {}, 0, 0, 1},
                    Case{"BiggestAlone", {4, 1}, 4, {}, 0, 0, 1},
                    Case{"WaitsForTheDelay", {1, 1}, 8, {}, 10, 3, 0},
                    Case{"DelayIsTheOldests", {1, 1}, 8, {}, 10, 10, 2},
                    Case{"FullNeedsNoDelay", {4, 4}, 8, {}, 10, 0, 2},
                    Case{"ClosedByTooBigNeedsNoDelay", {5, 5}, 8, {}, 10, 0, 1},
                    Case{"PreferredCutsOff", {1, 1, 1, 1, 1, 1}, 8, {4}, 0, 0, 4},
                    Case{"PreferredBeforeTheDelay", {1, 1, 1, 1}, 8, {4}, 10, 0, 4},
                    Case{"LargestPreferredWins", {1, 1, 1, 1, 1, 1}, 8, {2, 4, 6}, 0, 0, 6},
                    Case{"BelowPreferredWaits", {1, 1}, 8, {4}, 10, 0, 0},
                    Case{"BelowPreferredAfterTheDelay", {1, 1}, 8, {4}, 10, 11, 2},
                    Case{"JumpsOverPreferred", {3, 3}, 8, {4}, 10, 0, 2}),
    [](const auto& info) { return info.param.name; });

TEST(BatchForm, IsClosedByTheNumberOfRequestsThatAreWanted) {
  FakeModel model(8);
  const BatchLimits limits = BatchLimits::For(model.config);
  BatchForm form(&limits, 2);
  EXPECT_TRUE(form.Offer(*model.Request(1, TimePoint())));
  EXPECT_TRUE(form.Offer(*model.Request(3, TimePoint())));
  EXPECT_FALSE(form.Offer(*model.Request(1, TimePoint())));
  EXPECT_EQ(form.Decide(TimePoint()).take, 2u);
}

TEST(BatchLimits, MayBePartedWhereNobodyAskedForSizesOrToWait) {
  struct Row {
    std::vector<int32_t> preferred;
    uint64_t delay_us;
    bool may_be_parted;
  };
  // The largest size is what a repository's configuration prefers by default.
  for (const Row& row : {Row{{}, 0, true}, Row{{8}, 0, true}, Row{{4}, 0, false},
                         Row{{4, 8}, 0, false}, Row{{}, 100, false}, Row{{8}, 100, false}}) {
    FakeModel model(8);
    model.config.dynamic_batching.preferred_batch_sizes = row.preferred;
    model.config.dynamic_batching.max_queue_delay_us = row.delay_us;
    EXPECT_EQ(BatchLimits::For(model.config).may_be_parted(), row.may_be_parted);
  }
}

TEST(BatchForm, ClosesAtAnotherShape) {
  FakeModel model(8, {-1});
  const BatchLimits limits = BatchLimits::For(model.config);
  const TimePoint start{};
  RequestList requests;
  requests.push_back(model.RequestOfShape(Shape{1, 2}, start));
  requests.push_back(model.RequestOfShape(Shape{2, 2}, start));
  requests.push_back(model.RequestOfShape(Shape{1, 3}, start));
  requests.push_back(model.RequestOfShape(Shape{1, 2}, start));
  BatchForm form(&limits);
  EXPECT_TRUE(form.Offer(*requests[0]));
  EXPECT_TRUE(form.Offer(*requests[1]));
  EXPECT_FALSE(form.Offer(*requests[2]));
  EXPECT_FALSE(form.Offer(*requests[3])) << "closed: no reordering";
  EXPECT_EQ(form.Decide(start).take, 2u);
}

TEST(BatchForm, RaggedInputsMayDiffer) {
  FakeModel model(8, {-1});
  model.config.inputs[0].allows_ragged = true;
  const BatchLimits limits = BatchLimits::For(model.config);
  RequestPtr a = model.RequestOfShape(Shape{1, 2}, TimePoint{});
  RequestPtr b = model.RequestOfShape(Shape{1, 3}, TimePoint{});
  BatchForm form(&limits);
  EXPECT_TRUE(form.Offer(*a));
  EXPECT_TRUE(form.Offer(*b));
}

TEST(BatchForm, ClosesWhenAnOptionalInputIsMissing) {
  FakeModel model(8);
  model.config.inputs[0].is_optional = true;
  const BatchLimits limits = BatchLimits::For(model.config);
  RequestPtr with = model.Request(1, TimePoint{});
  RequestPtr without = model.Request(1, TimePoint{});
  without->inputs.clear();
  BatchForm form(&limits);
  EXPECT_TRUE(form.Offer(*with));
  EXPECT_FALSE(form.Offer(*without));
}

TEST(BatchForm, WithoutABatcherRequestsStayAlone) {
  FakeModel model(8);
  model.config.scheduler = SchedulerKind::kDirect;
  const BatchLimits limits = BatchLimits::For(model.config);
  RequestPtr a = model.Request(2, TimePoint{});
  RequestPtr b = model.Request(2, TimePoint{});
  BatchForm form(&limits);
  EXPECT_TRUE(form.Offer(*a));
  EXPECT_FALSE(form.Offer(*b));
  EXPECT_EQ(form.Decide(TimePoint{}).take, 1u);
}

}  // namespace
}  // namespace pt::schedule
