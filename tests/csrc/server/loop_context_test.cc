#include "server/loop_context.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "server/latch.h"

namespace pt::server {
namespace {

class LoopContextTest : public ::testing::Test {
 protected:
  void SetUp() override {
    services_.pool = &pool_;
    auto context = LoopContext::Create(&services_, "test-loop");
    ASSERT_TRUE(context.ok());
    context_ = std::move(context).value();
    context_->Start();
  }
  void TearDown() override { context_->Shutdown(); }

  // Runs `function` on the loop and waits for it.
  void OnLoop(std::function<void()> function) {
    const auto done = std::make_shared<Latch>(1);
    context_->loop().PostFunction([function, done] {
      function();
      done->CountDown();
    });
    done->WaitUntil(kNoDeadline);
  }

  BlockPool pool_;
  Services services_;
  RefPtr<LoopContext> context_;
};

TEST_F(LoopContextTest, IsDrivenByItsHomeThread) {
  OnLoop([this] {
    EXPECT_TRUE(context_->IsDrivenHere());
    EXPECT_TRUE(context_->IsHome());
  });
  EXPECT_FALSE(context_->IsDrivenHere());
}

TEST_F(LoopContextTest, PassesTheRoleAndTakesItBack) {
  for (int i = 0; i < 100; ++i) {
    OnLoop([this] {
      context_->Release();
      EXPECT_FALSE(context_->IsHome());
      EXPECT_TRUE(context_->IsDrivenHere());  // until the round has ended
    });
    bool has_run = false;
    const bool is_open = context_->Drive([this, &has_run] {
      EXPECT_TRUE(context_->IsDrivenHere());
      context_->loop().PostFunction([&has_run] { has_run = true; });
      return has_run;
    });
    EXPECT_TRUE(is_open);
    EXPECT_TRUE(context_->IsDrivenHere());
    context_->ReturnHome();
    EXPECT_FALSE(context_->IsDrivenHere());
    OnLoop([this] { EXPECT_TRUE(context_->IsHome()); });
  }
}

TEST_F(LoopContextTest, StaysAwakeForFewCallsOnly) {
  OnLoop([this] {
    std::vector<Gate*> calls;
    while (context_->HowToWait() == net::Wait::kAwake && calls.size() < 100) {
      calls.push_back(context_->EnterCall());
    }
    EXPECT_EQ(calls.size(), 9u);
    calls.back()->Leave();
    calls.pop_back();
    EXPECT_EQ(context_->HowToWait(), net::Wait::kAwake);
    for (Gate* call : calls) call->Leave();
  });
}

TEST_F(LoopContextTest, StaysAwakeForNoStream) {
  OnLoop([this] {
    context_->BeginStream();
    EXPECT_EQ(context_->HowToWait(), net::Wait::kYes);
    context_->EndStream();
    EXPECT_EQ(context_->HowToWait(), net::Wait::kAwake);
  });
}

TEST_F(LoopContextTest, TakesTheRoleBackUndriven) {
  OnLoop([this] { context_->Release(); });
  context_->ReturnHome();
  OnLoop([this] { EXPECT_TRUE(context_->IsHome()); });
}

TEST_F(LoopContextTest, WakeHasTheDriverAskAgain) {
  OnLoop([this] { context_->Release(); });
  std::atomic<bool> is_asked{false};
  std::atomic<bool> must_stop{false};
  std::thread waker([&] {
    while (!is_asked.load()) std::this_thread::yield();
    must_stop.store(true);
    context_->Wake();
  });
  EXPECT_TRUE(context_->Drive([&] {
    is_asked.store(true);
    return must_stop.load();
  }));
  waker.join();
  context_->ReturnHome();
}

TEST_F(LoopContextTest, ShutdownReachesADriverThatIsNotHome) {
  OnLoop([this] { context_->Release(); });
  Latch driving(1);
  std::thread driver([&] {
    bool is_first = true;
    EXPECT_FALSE(context_->Drive([&] {
      if (std::exchange(is_first, false)) driving.CountDown();
      return false;
    }));
    context_->ReturnHome();
  });
  driving.WaitUntil(kNoDeadline);
  context_->Shutdown();
  driver.join();
}

TEST_F(LoopContextTest, WaitsForCallsEnteredBeforeAndNotAfter) {
  Gate* const before = context_->EnterCall();
  const auto ended = std::make_shared<Latch>(1);
  context_->AwaitCallsUnderWay([ended] { ended->CountDown(); });
  Gate* const after = context_->EnterCall();
  EXPECT_NE(before, after);
  EXPECT_FALSE(ended->WaitUntil(TimePoint::min()));
  before->Leave();
  EXPECT_TRUE(ended->WaitUntil(kNoDeadline));
  after->Leave();
}

}  // namespace
}  // namespace pt::server
