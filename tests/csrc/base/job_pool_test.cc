#include "base/job_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <memory>
#include <set>
#include <thread>
#include <utility>
#include <vector>

namespace pt {
namespace {

constexpr Duration kShort = std::chrono::milliseconds(1);

// Jobs that run until they are told to end; released at the latest when it goes.
class Hanging {
 public:
  ~Hanging() { Release(); }
  void Release() {
    if (!std::exchange(is_released_, true)) end_.set_value();
  }
  std::function<void()> Job() {
    return [this, end = ended_] {
      ++running_;
      end.wait();
    };
  }
  void AwaitRunning(int count) const {
    while (running_ < count) std::this_thread::yield();
  }
  int running() const { return running_; }

 private:
  std::promise<void> end_;
  std::shared_future<void> ended_ = end_.get_future().share();
  std::atomic<int> running_{0};
  bool is_released_ = false;
};

void PostAndWait(JobPool* pool) {
  std::promise<void> done;
  pool->Post([&done] { done.set_value(); });
  done.get_future().wait();
}

TEST(JobPool, RunsJobsInTheirOrderOnOneThread) {
  std::vector<int> order;
  std::set<std::thread::id> threads;
  {
    JobPool pool("pt-test", 1);
    for (int i = 0; i < 100; ++i) {
      pool.Post([&, i] {
        order.push_back(i);
        threads.insert(std::this_thread::get_id());
      });
    }
  }
  ASSERT_EQ(order.size(), 100U);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  EXPECT_EQ(threads.size(), 1U);
}

TEST(JobPool, RunsAsManySideBySideAsItMayAndNoMore) {
  Hanging hanging;
  JobPool pool("pt-test", 3);
  for (int i = 0; i < 5; ++i) pool.Post(hanging.Job());
  hanging.AwaitRunning(3);
  EXPECT_EQ(pool.pending(), 5);
  EXPECT_EQ(hanging.running(), 3);
  hanging.Release();
}

TEST(JobPool, JobsThatHangDelayOthersByItsPatienceAtMost) {
  Hanging hanging;
  JobPool pool("pt-test", 2, kShort);
  // More than the pool has threads, and those behind them.
  for (int i = 0; i < 5; ++i) pool.Post(hanging.Job());
  PostAndWait(&pool);
  hanging.AwaitRunning(5);
  PostAndWait(&pool);
  hanging.Release();
}

TEST(JobPool, TheDestructorRunsWhatWaitsBehindJobsThatHang) {
  std::atomic<bool> has_run{false};
  Hanging hanging;
  std::thread ending;
  {
    auto pool = std::make_unique<JobPool>("pt-test", 1, kShort);
    pool->Post(hanging.Job());
    pool->Post([&] { has_run = true; });
    ending = std::thread([pool = std::move(pool)]() mutable { pool.reset(); });
  }
  while (!has_run) std::this_thread::yield();
  hanging.Release();
  ending.join();
}

TEST(JobPool, JobsMayPostWhileItEnds) {
  std::atomic<int> runs{0};
  {
    JobPool pool("pt-test", 2);
    pool.Post([&] {
      ++runs;
      pool.Post([&] { ++runs; });
    });
  }
  EXPECT_EQ(runs, 2);
}

TEST(JobPool, WhatAJobHoldsGoesBeforeItCountsAsDone) {
  JobPool pool("pt-test", 1);
  auto held = std::make_shared<int>(1);
  const std::weak_ptr<int> watched = held;
  pool.Post([held = std::move(held)] {});
  while (pool.pending() > 0) std::this_thread::yield();
  EXPECT_TRUE(watched.expired());
}

}  // namespace
}  // namespace pt
