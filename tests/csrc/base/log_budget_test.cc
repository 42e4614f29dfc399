#include "base/log_budget.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace pt {
namespace {

TimePoint At(std::chrono::milliseconds since) { return TimePoint(std::chrono::hours(1) + since); }

int TakeMany(LogBudget* budget, TimePoint now, int count) {
  int taken = 0;
  for (int i = 0; i < count; ++i) taken += budget->Take(now) ? 1 : 0;
  return taken;
}

TEST(LogBudgetTest, GivesTheSameToEveryPeriod) {
  LogBudget budget;
  constexpr int kRoom = LogBudget::kLinesPerPeriod;
  EXPECT_EQ(TakeMany(&budget, At(LogBudget::kPeriod * 0), kRoom + 7), kRoom);
  EXPECT_EQ(TakeMany(&budget, At(LogBudget::kPeriod * 1), kRoom + 1), kRoom);
  EXPECT_EQ(budget.TakeLeftOut(), 8u);
  EXPECT_EQ(budget.TakeLeftOut(), 0u);
}

TEST(LogBudgetTest, AClockReadBeforeAnothersOpensNoNewPeriod) {
  LogBudget budget;
  constexpr int kRoom = LogBudget::kLinesPerPeriod;
  EXPECT_EQ(TakeMany(&budget, At(LogBudget::kPeriod), kRoom), kRoom);
  EXPECT_FALSE(budget.Take(At(LogBudget::kPeriod * 0)));
  EXPECT_FALSE(budget.Take(At(LogBudget::kPeriod)));
}

TEST(LogBudgetTest, ManyThreadsShareOneBudget) {
  LogBudget budget;
  std::atomic<int> taken{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] { taken += TakeMany(&budget, At(LogBudget::kPeriod), 1000); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(taken, static_cast<int>(LogBudget::kLinesPerPeriod));
  EXPECT_EQ(budget.TakeLeftOut(), 4000u - LogBudget::kLinesPerPeriod);
}

}  // namespace
}  // namespace pt
