// Limits, time-outs, priorities and cancellation of the waiting requests, with made-up time.
#include "schedule/request_queue.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "schedule/fake_requests.h"

namespace pt::schedule {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

class RequestQueueTest : public testing::Test {
 protected:
  DynamicBatching& batching() { return model_.config.dynamic_batching; }
  void Make() {
    limits_ = BatchLimits::For(model_.config);
    queue_ = std::make_unique<RequestQueue>(model_.config);
  }
  void Push(const std::string& id, uint32_t priority = 0, uint64_t timeout_us = 0) {
    RequestPtr request = model_.Request(1, now_, id);
    request->priority = priority;
    request->timeout_us = timeout_us;
    last_ = request.get();
    queue_->Push(std::move(request), now_, &dropped_);
  }
  // Ids of the next batch, in order.
  std::vector<std::string> Take() {
    RequestList batch;
    queue_->Take(limits_, now_, &batch, &dropped_);
    std::vector<std::string> ids;
    for (RequestPtr& request : batch) {
      ids.push_back(request->id);
      request->Respond({}, Finality::kFinal);
    }
    return ids;
  }
  std::vector<std::string> DroppedTexts() {
    std::vector<std::string> texts;
    for (Dropped& drop : dropped_) {
      texts.push_back(drop.request->id + ": " + drop.status.message());
      drop.request->Fail(drop.status, drop.reason);
    }
    dropped_.clear();
    return texts;
  }

  using Ids = std::vector<std::string>;
  FakeModel model_{2};
  BatchLimits limits_;
  DroppedList dropped_;
  TimePoint now_{milliseconds(1000)};
  InferRequest* last_ = nullptr;
  std::unique_ptr<RequestQueue> queue_;
};

TEST_F(RequestQueueTest, IsFirstInFirstOut) {
  Make();
  for (const char* id : {"a", "b", "c"}) Push(id);
  EXPECT_EQ(Take(), (Ids{"a", "b"}));
  EXPECT_EQ(Take(), (Ids{"c"}));
  EXPECT_EQ(Take(), Ids{});
  EXPECT_EQ(queue_->size(), 0u);
}

TEST_F(RequestQueueTest, HigherPriorityOvertakes) {
  batching().priority_levels = 3;
  batching().default_priority_level = 2;
  Make();
  Push("low", 3);
  Push("default", 0);
  Push("unknown", 9);
  Push("high", 1);
  EXPECT_EQ(Take(), (Ids{"high", "default"}));
  EXPECT_EQ(Take(), (Ids{"unknown", "low"}));
}

TEST_F(RequestQueueTest, RefusesWhenFull) {
  batching().default_queue_policy.max_queue_size = 2;
  Make();
  for (const char* id : {"a", "b", "c"}) Push(id);
  EXPECT_EQ(DroppedTexts(), (Ids{"c: [request id: c] Exceeds maximum queue size"}));
  EXPECT_EQ(queue_->size(), 2u);
}

TEST_F(RequestQueueTest, TheCancelledMakeRoomForTheLiving) {
  batching().default_queue_policy.max_queue_size = 2;
  Make();
  Push("a");
  Push("b");
  last_->responder().Cancel();
  Push("c");
  EXPECT_EQ(DroppedTexts(), (Ids{"b: request was cancelled by its client while it waited"}));
  EXPECT_EQ(Take(), (Ids{"a", "c"}));
}

TEST_F(RequestQueueTest, CancelledRequestsNeverReachABatch) {
  Make();
  Push("a");
  last_->responder().Cancel();
  Push("b");
  EXPECT_EQ(Take(), (Ids{"b"}));
  EXPECT_EQ(DroppedTexts().size(), 1u);
}

TEST_F(RequestQueueTest, RejectsAfterTheTimeout) {
  batching().default_queue_policy.default_timeout_us = 5000;
  Make();
  Push("a");
  EXPECT_EQ(queue_->next_expiry(), now_ + milliseconds(5));
  now_ += milliseconds(6);
  EXPECT_EQ(Take(), Ids{});
  EXPECT_EQ(DroppedTexts(), (Ids{"a: Request timeout expired"}));
  EXPECT_EQ(queue_->next_expiry(), kNoDeadline);
}

TEST_F(RequestQueueTest, ARequestsOwnTimeoutOnlyShortens) {
  batching().default_queue_policy.default_timeout_us = 5000;
  batching().default_queue_policy.allow_timeout_override = true;
  Make();
  Push("short", 0, 1000);
  Push("long", 0, 1000000);
  now_ += milliseconds(2);
  queue_->Sweep(now_, &dropped_);
  EXPECT_EQ(DroppedTexts(), (Ids{"short: Request timeout expired"}));
  now_ += milliseconds(4);
  queue_->Sweep(now_, &dropped_);
  EXPECT_EQ(DroppedTexts(), (Ids{"long: Request timeout expired"}));
}

TEST_F(RequestQueueTest, APolicyWithoutOverrideIgnoresTheRequests) {
  batching().default_queue_policy.default_timeout_us = 5000;
  Make();
  Push("a", 0, 1000);
  now_ += milliseconds(2);
  EXPECT_EQ(Take(), (Ids{"a"}));
}

TEST_F(RequestQueueTest, TimeoutCountsWithoutAPolicy) {
  Make();
  Push("a", 0, 1000);
  now_ += milliseconds(2);
  EXPECT_EQ(Take(), Ids{});
  EXPECT_EQ(DroppedTexts(), (Ids{"a: Request timeout expired"}));
}

TEST_F(RequestQueueTest, DelayRunsTheLateAfterTheOthers) {
  batching().default_queue_policy.default_timeout_us = 5000;
  batching().default_queue_policy.timeout_action = TimeoutAction::kDelay;
  Make();
  Push("late1");
  Push("late2");
  now_ += milliseconds(6);
  Push("fresh");
  EXPECT_EQ(Take(), (Ids{"fresh", "late1"}));
  EXPECT_EQ(Take(), (Ids{"late2"}));
  EXPECT_TRUE(DroppedTexts().empty());
}

TEST_F(RequestQueueTest, SweepKeepsTheDelayed) {
  batching().default_queue_policy.default_timeout_us = 5000;
  batching().default_queue_policy.timeout_action = TimeoutAction::kDelay;
  Make();
  Push("late");
  now_ += milliseconds(6);
  Push("fresh");
  queue_->Sweep(now_, &dropped_);
  EXPECT_TRUE(DroppedTexts().empty());
  EXPECT_EQ(queue_->next_expiry(), now_ + milliseconds(5));
  EXPECT_EQ(Take(), (Ids{"fresh", "late"}));
}

TEST_F(RequestQueueTest, TheClientsDeadlineEndsTheWait) {
  Make();
  Push("a");
  last_->deadline = now_ + milliseconds(1);
  Push("b");
  RequestPtr dying = model_.Request(1, now_, "c");
  dying->deadline = now_ + milliseconds(3);
  queue_->Push(std::move(dying), now_, &dropped_);
  EXPECT_EQ(queue_->next_expiry(), now_ + milliseconds(3));
  now_ += milliseconds(4);
  EXPECT_EQ(Take(), (Ids{"b"}));
  ASSERT_EQ(dropped_.size(), 2u);
  EXPECT_EQ(dropped_[0].status.code(), Code::kDeadlineExceeded);
  DroppedTexts();
}

TEST_F(RequestQueueTest, ClearAnswersAll) {
  Make();
  Push("a");
  Push("b");
  queue_->Clear(Unavailable("stopping"), &dropped_);
  EXPECT_EQ(DroppedTexts(), (Ids{"a: stopping", "b: stopping"}));
  EXPECT_EQ(queue_->size(), 0u);
}

TEST_F(RequestQueueTest, HugeTimeoutsDoNotOverflow) {
  Make();
  Push("a", 0, ~uint64_t{0});
  EXPECT_EQ(queue_->next_expiry(), kNoDeadline);
  EXPECT_EQ(Take(), (Ids{"a"}));
}

}  // namespace
}  // namespace pt::schedule
