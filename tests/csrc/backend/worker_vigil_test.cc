#include "backend/worker_vigil.h"

#include <gtest/gtest.h>

namespace pt::backend {
namespace {

constexpr Duration kShort = std::chrono::microseconds(10);

Vigil LonelyVigil() {
  Vigil vigil(2);
  for (int i = 0; i < Vigil::kLonely; ++i) vigil.Count(true);
  return vigil;
}

TEST(VigilTest, IsKeptForLonelyRequestsOfQuickModelsAlone) {
  Vigil vigil(2);
  for (int i = 0; i < Vigil::kLonely; ++i) {
    EXPECT_FALSE(vigil.IsDue(kShort));
    vigil.Count(true);
  }
  EXPECT_TRUE(vigil.IsDue(kShort));
  EXPECT_FALSE(vigil.IsDue(2 * Vigil::kQuick));
  vigil.Count(false);
  EXPECT_FALSE(vigil.IsDue(kShort));
}

TEST(VigilTest, IsNotKeptOnTheOnlyCpu) {
  Vigil vigil(1);
  for (int i = 0; i < 2 * Vigil::kLonely; ++i) vigil.Count(true);
  EXPECT_FALSE(vigil.IsDue(kShort));
}

TEST(VigilTest, PausesLongerAndLongerWhenItIsInVain) {
  Vigil vigil = LonelyVigil();
  for (int expected = 1; expected <= Vigil::kLongestPause; expected *= 2) {
    ASSERT_TRUE(vigil.IsDue(kShort));
    vigil.Ended(true);
    for (int i = 0; i < expected; ++i) EXPECT_FALSE(vigil.IsDue(kShort));
  }
  EXPECT_TRUE(vigil.IsDue(kShort));
  vigil.Ended(true);
  for (int i = 0; i < Vigil::kLongestPause; ++i) EXPECT_FALSE(vigil.IsDue(kShort));
  ASSERT_TRUE(vigil.IsDue(kShort));
  vigil.Ended(false);
  EXPECT_TRUE(vigil.IsDue(kShort));
}

}  // namespace
}  // namespace pt::backend
