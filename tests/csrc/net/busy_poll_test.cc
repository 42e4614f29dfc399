#include "net/busy_poll.h"

#include <gtest/gtest.h>

#include <optional>

namespace pt::net {
namespace {

constexpr Duration kShort = BusyPoll::kLongest;
constexpr Duration kLong = BusyPoll::kLongest + std::chrono::nanoseconds(1);

void EndWaits(BusyPoll* poll, int count) {
  for (int i = 0; i < count; ++i) poll->Ended(kShort);
}

TEST(BusyPollTest, IsDueAfterShortWaitsInARow) {
  BusyPoll poll;
  EndWaits(&poll, BusyPoll::kShortWaits - 1);
  EXPECT_FALSE(poll.IsDue());
  EndWaits(&poll, 1);
  EXPECT_TRUE(poll.IsDue());
}

TEST(BusyPollTest, OneLongWaitEndsIt) {
  BusyPoll poll;
  EndWaits(&poll, 3 * BusyPoll::kShortWaits);
  poll.Ended(kLong);
  EXPECT_FALSE(poll.IsDue());
  EndWaits(&poll, BusyPoll::kShortWaits - 1);
  EXPECT_FALSE(poll.IsDue());
}

TEST(BusyPollTest, AWaitOfAnotherKindEndsIt) {
  BusyPoll poll;
  EndWaits(&poll, BusyPoll::kShortWaits);
  poll.Reset();
  EXPECT_FALSE(poll.IsDue());
}

TEST(BusyPollTest, LeavesHalfOfTheCpusToOthers) {
  std::optional<BusyPoll::Place> first(std::in_place, 4);
  EXPECT_TRUE(*first);
  BusyPoll::Place second(4);
  EXPECT_TRUE(second);
  BusyPoll::Place third(4);
  EXPECT_FALSE(third);
}

TEST(BusyPollTest, APlaceIsGivenBack) {
  {
    const BusyPoll::Place gone(2);
  }
  EXPECT_TRUE(BusyPoll::Place(2));
}

TEST(BusyPollTest, NobodyPollsOnOneCpu) { EXPECT_FALSE(BusyPoll::Place(1)); }

}  // namespace
}  // namespace pt::net
