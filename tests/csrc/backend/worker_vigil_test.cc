#include "backend/worker_vigil.h"

#include <gtest/gtest.h>

namespace pt::backend {
namespace {

constexpr Duration kBrief = std::chrono::microseconds(10);

Vigil LonelyVigil() {
  Vigil vigil(2);
  for (int i = 0; i < Vigil::kLonely; ++i) vigil.Count(true);
  return vigil;
}

TEST(VigilTest, IsKeptForLonelyRequestsOfQuickModelsAlone) {
  Vigil vigil(2);
  for (int i = 0; i < Vigil::kLonely; ++i) {
    EXPECT_FALSE(vigil.IsDue(kBrief));
    vigil.Count(true);
  }
  EXPECT_TRUE(vigil.IsDue(kBrief));
  EXPECT_FALSE(vigil.IsDue(2 * Vigil::kQuick));
  vigil.Count(false);
  EXPECT_FALSE(vigil.IsDue(kBrief));
}

TEST(VigilTest, IsNotKeptOnTheOnlyCpu) {
  Vigil vigil(1);
  for (int i = 0; i < 2 * Vigil::kLonely; ++i) vigil.Count(true);
  EXPECT_FALSE(vigil.IsDue(kBrief));
}

TEST(VigilTest, PausesLongerAndLongerWhenItIsInVain) {
  Vigil vigil = LonelyVigil();
  for (int expected = 1; expected <= Vigil::kLongestPause; expected *= 2) {
    ASSERT_TRUE(vigil.IsDue(kBrief));
    vigil.Ended(true);
    for (int i = 0; i < expected; ++i) EXPECT_FALSE(vigil.IsDue(kBrief));
  }
  EXPECT_TRUE(vigil.IsDue(kBrief));
  vigil.Ended(true);
  for (int i = 0; i < Vigil::kLongestPause; ++i) EXPECT_FALSE(vigil.IsDue(kBrief));
  ASSERT_TRUE(vigil.IsDue(kBrief));
  vigil.Ended(false);
  EXPECT_TRUE(vigil.IsDue(kBrief));
}

}  // namespace
}  // namespace pt::backend
