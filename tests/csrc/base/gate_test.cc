#include "base/gate.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace pt {
namespace {

TEST(GateTest, DrainsAtOnceWhenEmpty) {
  Gate gate;
  int drained = 0;
  gate.Close([&] { ++drained; });
  EXPECT_EQ(drained, 1);
  EXPECT_TRUE(gate.is_closed());
}

TEST(GateTest, DrainsWhenTheLastEntryLeaves) {
  Gate gate;
  int drained = 0;
  ASSERT_TRUE(gate.TryEnter());
  ASSERT_TRUE(gate.TryEnter());
  gate.Close([&] { ++drained; });
  EXPECT_EQ(gate.entries(), 2);
  gate.Leave();
  EXPECT_EQ(drained, 0);
  gate.Leave();
  EXPECT_EQ(drained, 1);
}

TEST(GateTest, RefusesAfterCloseWithoutDrainingTwice) {
  Gate gate;
  int drained = 0;
  gate.Close([&] { ++drained; });
  EXPECT_FALSE(gate.TryEnter());
  EXPECT_FALSE(gate.TryEnter());
  EXPECT_EQ(gate.entries(), 0);
  EXPECT_EQ(drained, 1);
}

TEST(GateTest, EntersAgainWhileClosed) {
  Gate gate;
  int drained = 0;
  ASSERT_TRUE(gate.TryEnter());
  gate.Close([&] { ++drained; });
  gate.EnterAgain();
  gate.Leave();
  EXPECT_EQ(drained, 0);
  gate.Leave();
  EXPECT_EQ(drained, 1);
}

TEST(GateTest, DrainsOnceUnderConcurrentEntries) {
  for (int round = 0; round < 200; ++round) {
    Gate gate;
    std::atomic<int> drained{0};
    std::atomic<int> inside{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&] {
        while (gate.TryEnter()) {
          inside.fetch_add(1);
          inside.fetch_sub(1);
          gate.Leave();
        }
      });
    }
    gate.Close([&] {
      EXPECT_EQ(inside.load(), 0);
      drained.fetch_add(1);
    });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(drained.load(), 1);
    EXPECT_EQ(gate.entries(), 0);
  }
}

}  // namespace
}  // namespace pt
