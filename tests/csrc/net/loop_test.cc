#include "net/loop.h"

#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <string>
#include <thread>

namespace pt::net {
namespace {

class LoopTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto loop = Loop::Create();
    ASSERT_TRUE(loop.ok());
    loop_ = std::move(loop).value();
  }
  std::unique_ptr<Loop> loop_;
  std::string log_;
};

class CountedTask final : public LoopTask {
 public:
  void RunOnLoop() override { ++runs; }
  void DropUnrun() override { ++drops; }
  int runs = 0;
  int drops = 0;
};

class Readable final : public EventHandler {
 public:
  explicit Readable(Loop* loop) : loop_(loop), fd(eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC)) {}
  ~Readable() { close(fd); }
  void OnEvents(uint32_t) override {
    ++events;
    if (on_event) on_event();
  }
  Loop* const loop_;
  const int fd;
  int events = 0;
  std::function<void()> on_event;
};

class Output final : public Flushable {
 public:
  void FlushNow() override {
    ++flushes;
    if (on_flush) on_flush();
  }
  int flushes = 0;
  std::function<void()> on_flush;
};

TEST_F(LoopTest, RunsWhatWasPostedFromAnotherThreadWhileItWaits) {
  std::thread poster([this] { loop_->PostFunction([this] { log_ = "ran"; }); });
  while (log_.empty()) loop_->RunRound(Wait::kYes);
  poster.join();
  EXPECT_EQ(log_, "ran");
}

TEST_F(LoopTest, WakeEndsTheNextWaitToo) {
  loop_->Wake();
  loop_->RunRound(Wait::kYes);
}

// Rounds that wait for nothing: from then on the loop polls.
void MakeBusy(Loop* loop) {
  for (int i = 0; i < BusyPoll::kShortWaits; ++i) {
    loop->Wake();
    loop->RunRound(Wait::kAwake);
  }
}

TEST_F(LoopTest, HearsWhileItPollsAndWhenItFellAsleep) {
  MakeBusy(loop_.get());
  for (int i = 0; i < 1000; ++i) {
    log_.clear();
    std::thread poster([this] { loop_->PostFunction([this] { log_ = "ran"; }); });
    while (log_.empty()) loop_->RunRound(Wait::kAwake);
    poster.join();
  }
}

TEST_F(LoopTest, RunsATimerWhoseTimeComesAfterItPolled) {
  MakeBusy(loop_.get());
  loop_->StartTimer(std::chrono::milliseconds(2), [this] { log_ = "ran"; });
  while (log_.empty()) loop_->RunRound(Wait::kAwake);
}

TEST_F(LoopTest, CallsTheRoundEndAfterEventsAndTasks) {
  Readable readable(loop_.get());
  readable.on_event = [this] { log_ += "event "; };
  loop_->set_round_end([this] { log_ += "end"; });
  ASSERT_TRUE(loop_->Watch(readable.fd, EPOLLIN, &readable).ok());
  loop_->PostFunction([this] { log_ += "task "; });
  loop_->RunRound(Wait::kYes);
  EXPECT_EQ(log_, "event task end");
  loop_->Unwatch(readable.fd, &readable);
}

TEST_F(LoopTest, GivesNoEventOfTheSameRoundAfterUnwatch) {
  Readable first(loop_.get());
  Readable second(loop_.get());
  const auto end = [&] {
    loop_->Unwatch(first.fd, &first);
    loop_->Unwatch(second.fd, &second);
  };
  first.on_event = end;
  second.on_event = end;
  ASSERT_TRUE(loop_->Watch(first.fd, EPOLLIN, &first).ok());
  ASSERT_TRUE(loop_->Watch(second.fd, EPOLLIN, &second).ok());
  loop_->RunRound(Wait::kYes);
  EXPECT_EQ(first.events + second.events, 1);
}

TEST_F(LoopTest, FlushesADirtyOutputOncePerRound) {
  Output output;
  loop_->FlushLater(&output);
  loop_->FlushLater(&output);
  loop_->RunRound(Wait::kNo);
  EXPECT_EQ(output.flushes, 1);
  loop_->RunRound(Wait::kNo);
  EXPECT_EQ(output.flushes, 1);
}

TEST_F(LoopTest, ForgetsAnOutputThatEndsWhileOthersAreFlushed) {
  Output second;
  Output first;
  first.on_flush = [&] { loop_->ForgetFlush(&second); };
  loop_->FlushLater(&first);
  loop_->FlushLater(&second);
  loop_->RunRound(Wait::kNo);
  EXPECT_EQ(second.flushes, 0);
}

TEST_F(LoopTest, DoesNotWaitWhileAnOutputStaysDirty) {
  Output endless;
  endless.on_flush = [&] { loop_->FlushLater(&endless); };
  loop_->FlushLater(&endless);
  loop_->RunRound(Wait::kYes);  // would hang
  EXPECT_GT(endless.flushes, 0);
  loop_->ForgetFlush(&endless);
}

TEST_F(LoopTest, RunsTimersInOrderAndNotTheStoppedOne) {
  loop_->StartTimer(std::chrono::milliseconds(2), [this] { log_ += "2"; });
  loop_->StartTimer(std::chrono::milliseconds(1), [this] { log_ += "1"; });
  const uint64_t stopped = loop_->StartTimer(std::chrono::milliseconds(1), [this] { log_ += "x"; });
  loop_->StopTimer(stopped);
  while (log_.size() < 2) loop_->RunRound(Wait::kYes);
  EXPECT_EQ(log_, "12");
}

TEST_F(LoopTest, DestroysAfterTheEventsOfTheRound) {
  Readable readable(loop_.get());
  readable.on_event = [this] {
    loop_->DestroyLater([this] { log_ += "destroyed"; });
    log_ += "event ";
  };
  ASSERT_TRUE(loop_->Watch(readable.fd, EPOLLIN, &readable).ok());
  loop_->RunRound(Wait::kYes);
  EXPECT_EQ(log_, "event destroyed");
  loop_->Unwatch(readable.fd, &readable);
}

TEST_F(LoopTest, RunsOrDropsEveryTaskOnce) {
  CountedTask before;
  CountedTask after;
  loop_->Post(&before);
  loop_->Close();
  loop_->Post(&after);
  EXPECT_EQ(before.runs, 1);
  EXPECT_EQ(before.drops, 0);
  EXPECT_EQ(after.runs, 0);
  EXPECT_EQ(after.drops, 1);
}

TEST_F(LoopTest, LosesNoTaskWhenItClosesBesidePosters) {
  constexpr int kTasks = 2000;
  std::vector<CountedTask> tasks(kTasks);
  std::atomic<bool> is_running{false};
  std::thread poster([&] {
    for (CountedTask& task : tasks) {
      loop_->Post(&task);
      is_running.store(true);
    }
  });
  while (!is_running.load()) std::this_thread::yield();
  loop_->RunRound(Wait::kNo);
  loop_->Close();
  poster.join();
  for (const CountedTask& task : tasks) EXPECT_EQ(task.runs + task.drops, 1);
}

}  // namespace
}  // namespace pt::net
