#include "schedule/exclusive_groups.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace pt::schedule {
namespace {

TEST(ExclusiveGroups, WhoCameFirstGoesFirst) {
  ExclusiveGroups groups;
  ExclusiveGroup* const group = groups.Get("g");
  EXPECT_EQ(groups.Get("g"), group);
  EXPECT_NE(groups.Get("h"), group);
  group->Enter();
  std::vector<int> order;  // guarded by the group
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([group, &order, i] {
      group->Enter();
      order.push_back(i);
      group->Leave();
    });
    while (group->waiting() < static_cast<uint64_t>(i + 1)) std::this_thread::yield();
  }
  EXPECT_TRUE(order.empty());
  group->Leave();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3}));
  EXPECT_EQ(group->waiting(), 0);
}

}  // namespace
}  // namespace pt::schedule
