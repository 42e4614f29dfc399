#include "base/alarm.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <thread>
#include <vector>

namespace pt {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

TEST(AlarmTest, CallsBackInOrderOfTime) {
  Alarm alarm;
  const TimePoint now = steady_clock::now();
  std::vector<int> order;  // written by the alarm's thread, read after `done`
  std::promise<void> done;
  alarm.Arm(now + milliseconds(30), [&] {
    order.push_back(3);
    done.set_value();
  });
  alarm.Arm(now + milliseconds(10), [&] { order.push_back(1); });
  alarm.Arm(now + milliseconds(20), [&] { order.push_back(2); });
  done.get_future().wait();
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

TEST(AlarmTest, CallsBackAtOnceForAPastTime) {
  Alarm alarm;
  std::promise<std::thread::id> called;
  alarm.Arm(steady_clock::now() - hours(1), [&] { called.set_value(std::this_thread::get_id()); });
  EXPECT_NE(called.get_future().get(), std::this_thread::get_id());
}

TEST(AlarmTest, ADisarmedCallbackNeverRunsAndIsDestroyed) {
  Alarm alarm;
  auto held = std::make_shared<int>(1);
  const uint64_t ticket =
      alarm.Arm(steady_clock::now() + hours(1), [held] { ADD_FAILURE() << "it was disarmed"; });
  EXPECT_NE(ticket, 0u);
  alarm.Disarm(ticket);
  EXPECT_EQ(held.use_count(), 1);
}

TEST(AlarmTest, DisarmWaitsForARunningCallback) {
  Alarm alarm;
  std::promise<void> entered;
  std::promise<void> go_on;
  std::atomic<bool> has_ended{false};
  const uint64_t ticket = alarm.Arm(steady_clock::now(), [&] {
    entered.set_value();
    go_on.get_future().wait();
    has_ended = true;
  });
  entered.get_future().wait();
  std::thread other([&] { go_on.set_value(); });
  alarm.Disarm(ticket);
  EXPECT_TRUE(has_ended);
  other.join();
}

TEST(AlarmTest, CallbacksMayArm) {
  Alarm alarm;
  std::promise<void> done;
  alarm.Arm(steady_clock::now(),
            [&] { alarm.Arm(steady_clock::now(), [&] { done.set_value(); }); });
  done.get_future().wait();
}

TEST(AlarmTest, AnEarlierTimeOvertakesALaterOne) {
  Alarm alarm;
  std::promise<void> done;
  alarm.Arm(kNoDeadline, [] { ADD_FAILURE(); });
  alarm.Arm(steady_clock::now(), [&] { done.set_value(); });
  done.get_future().wait();
}

TEST(AlarmTest, DestructionRunsNothingMore) {
  auto held = std::make_shared<int>(1);
  {
    Alarm alarm;
    alarm.Arm(steady_clock::now() + hours(1), [held] { ADD_FAILURE(); });
  }
  EXPECT_EQ(held.use_count(), 1);
}

}  // namespace
}  // namespace pt
