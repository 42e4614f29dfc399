#include "infer/load_control.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace pt {
namespace {

TEST(LoadControl, CancelTellsEverybodyOnce) {
  LoadControl control;
  std::vector<std::string> told;
  control.OnCancel([&](const Status& reason) { told.push_back("a " + reason.message()); });
  control.OnCancel([&](const Status& reason) { told.push_back("b " + reason.message()); });
  EXPECT_FALSE(control.cancelled().has_value());
  EXPECT_TRUE(control.Cancel(Unavailable("too long")));
  EXPECT_FALSE(control.Cancel(Unavailable("again")));
  EXPECT_EQ(told, (std::vector<std::string>{"a too long", "b too long"}));
  EXPECT_EQ(control.cancelled()->message(), "too long");
  EXPECT_FALSE(control.Finish());
}

TEST(LoadControl, WhoComesLateIsToldAtOnce) {
  LoadControl control;
  EXPECT_TRUE(control.Cancel(Unavailable("too long")));
  int told = 0;
  control.OnCancel([&](const Status&) { ++told; });
  EXPECT_EQ(told, 1);
}

TEST(LoadControl, NobodyIsToldAfterItFinished) {
  LoadControl control;
  int told = 0;
  control.OnCancel([&](const Status&) { ++told; });
  EXPECT_TRUE(control.Finish());
  EXPECT_TRUE(control.Finish());
  EXPECT_FALSE(control.Cancel(Unavailable("too long")));
  control.OnCancel([&](const Status&) { ++told; });
  EXPECT_EQ(told, 0);
  EXPECT_FALSE(control.cancelled().has_value());
}

TEST(LoadControl, FinishDropsWhatWasToBeTold) {
  LoadControl control;
  auto held = std::make_shared<int>(1);
  control.OnCancel([held](const Status&) {});
  EXPECT_TRUE(control.Finish());
  EXPECT_EQ(held.use_count(), 1);
}

TEST(LoadControl, AWaitEndsWhenItIsCancelled) {
  LoadControl control;
  std::thread other([&] { EXPECT_TRUE(control.Cancel(Unavailable("too long"))); });
  EXPECT_EQ(control.WaitUntil(kNoDeadline).message(), "too long");
  other.join();
  LoadControl quiet;
  EXPECT_TRUE(quiet.WaitUntil(std::chrono::steady_clock::now()).ok());
}

}  // namespace
}  // namespace pt
