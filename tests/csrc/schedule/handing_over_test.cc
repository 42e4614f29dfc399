// Instances of a backend that runs batches elsewhere: who takes what while they drive a loop.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <string>
#include <vector>

#include "schedule/factory.h"
#include "schedule/fake_loop.h"
#include "schedule/fake_requests.h"
#include "schedule/queue_scheduler.h"

namespace pt::schedule {
namespace {

// What two instances do; shared with the test.
struct Elsewhere {
  struct Instance {
    std::vector<std::vector<std::string>> batches GUARDED_BY(mu);
    std::vector<RequestPtr> held GUARDED_BY(mu);
    std::atomic<bool> is_following{false};
    std::atomic<bool> can_take{true};
    Mutex mu;
  };
  std::array<Instance, 2> instances;
  std::atomic<int> follows{0};
  std::atomic<int> allowed{1 << 30};    // batches that may run while no loop is followed
  std::atomic<size_t> share{SIZE_MAX};  // what an instance that follows a loop wants at most

  size_t batch_count(size_t ordinal) {
    Instance& instance = instances[ordinal];
    MutexLock lock(&instance.mu);
    return instance.batches.size();
  }
};

// Following a loop it keeps a batch until the test ends it, else it answers at once.
class HandingInstance final : public BackendInstance {
 public:
  HandingInstance(Elsewhere* all, int ordinal) : all_(all), mine_(&all->instances[ordinal]) {}
  void Execute(Batch* batch, ExecutionTimes*) override {
    if (!mine_->is_following) {
      while (all_->allowed <= 0) std::this_thread::yield();
      --all_->allowed;
    }
    MutexLock lock(&mine_->mu);
    std::vector<std::string> ids;
    for (RequestPtr& request : batch->requests) {
      ids.push_back(request->id);
      if (!mine_->is_following) continue;
      request->AnswerLater();
      mine_->held.push_back(std::move(request));
    }
    batch->is_handed_over = mine_->is_following;
    if (mine_->is_following) mine_->can_take = false;
    mine_->batches.push_back(std::move(ids));
  }
  void Follow(LoopHost*) override {
    mine_->is_following = true;
    ++all_->follows;
  }
  void Unfollow() override {
    mine_->is_following = false;
    mine_->can_take = true;
  }
  bool CanTake() const override { return mine_->can_take; }
  size_t Share(size_t waiting) const override { return std::min<size_t>(waiting, all_->share); }

 private:
  Elsewhere* const all_;
  Elsewhere::Instance* const mine_;
};

class HandingBackend final : public Backend {
 public:
  explicit HandingBackend(Elsewhere* all) : all_(all) {}
  Result<std::unique_ptr<BackendInstance>> CreateInstance(int ordinal) override {
    return std::unique_ptr<BackendInstance>(std::make_unique<HandingInstance>(all_, ordinal));
  }
  bool RunsElsewhere() const override { return true; }

 private:
  Elsewhere* const all_;
};

class HandingOverTest : public testing::Test {
 protected:
  ~HandingOverTest() override {
    scheduler_->Stop();
    for (Elsewhere::Instance& instance : all_.instances) {
      MutexLock lock(&instance.mu);
      instance.held.clear();
    }
  }
  void Start(int instances, bool keeps_order) {
    fake_.config.instance_groups.push_back({"", InstanceKind::kCpu, instances, {}});
    fake_.config.dynamic_batching.preserve_ordering = keeps_order;
    SchedulerDeps deps{&fake_.model(), &backend_, &clock_, &alarm_, nullptr};
    scheduler_ = std::move(MakeScheduler(deps)).value();
    const Status status = scheduler_->Start();
    ASSERT_TRUE(status.ok()) << status.ToString();
  }
  void Submit(std::vector<std::string> ids) {
    loop_.RunRound([this, ids] {
      RequestList list;
      for (const std::string& id : ids) list.push_back(fake_.Request(1, clock_.Now(), id));
      scheduler_->Submit(std::move(list), &loop_);
    });
  }
  // Requests until an instance drives the loop; that one holds the last of them.
  void WaitUntilFollowed() {
    while (!all_.instances[0].is_following && !all_.instances[1].is_following) {
      Submit({"warm"});
      WaitForBatches(++warm_);
    }
    loop_.WaitUntilDrivenElsewhere();
  }
  // Until some instance has taken `count` batches in sum.
  void WaitForBatches(size_t count) {
    while (all_.batch_count(0) + all_.batch_count(1) < count) std::this_thread::yield();
  }
  std::vector<std::string> last_batch() {
    MutexLock lock(&all_.instances[0].mu);
    return all_.instances[0].batches.back();
  }
  void End(size_t ordinal) {
    Elsewhere::Instance& instance = all_.instances[ordinal];
    std::vector<RequestPtr> held;
    {
      MutexLock lock(&instance.mu);
      held.swap(instance.held);
    }
    for (RequestPtr& request : held) request->Respond({}, Finality::kFinal);
    instance.can_take = true;
    loop_.Wake();
  }

  SteadyClock clock_;
  Alarm alarm_;
  FakeModel fake_{4};
  Elsewhere all_;
  HandingBackend backend_{&all_};
  FakeLoop loop_;
  std::unique_ptr<Scheduler> scheduler_;
  size_t warm_ = 0;
};

TEST_F(HandingOverTest, TheLoopGoesToTheInstanceAtOnceAndStaysWhileItsBatchRuns) {
  Start(1, false);
  WaitUntilFollowed();
  EXPECT_TRUE(loop_.is_away());
  Submit({"b"});
  while (scheduler_->queued() < 1) std::this_thread::yield();
  Submit({"c"});
  while (scheduler_->queued() < 2) std::this_thread::yield();
  EXPECT_EQ(fake_.answers.count(), warm_ - 1);
  End(0);
  WaitForBatches(warm_ + 1);
  EXPECT_EQ(last_batch(), (std::vector<std::string>{"b", "c"}));
}

TEST_F(HandingOverTest, AnInstanceGetsThePartOfTheQueueThatItWants) {
  fake_.config.dynamic_batching.preferred_batch_sizes = {4};
  all_.share = 3;
  Start(1, false);
  WaitUntilFollowed();
  Submit({"a", "b", "c", "d"});
  while (scheduler_->queued() < 4) std::this_thread::yield();
  End(0);
  WaitForBatches(warm_ + 1);
  ASSERT_EQ(last_batch(), (std::vector<std::string>{"a", "b", "c"}));
  End(0);
  WaitForBatches(warm_ + 2);
  EXPECT_EQ(last_batch(), (std::vector<std::string>{"d"}));
}

TEST_F(HandingOverTest, WhoeverPrefersASizeGetsItWhole) {
  fake_.config.dynamic_batching.preferred_batch_sizes = {2};
  all_.share = 1;
  Start(1, false);
  WaitUntilFollowed();
  Submit({"a", "b", "c"});
  while (scheduler_->queued() < 3) std::this_thread::yield();
  End(0);
  WaitForBatches(warm_ + 1);
  EXPECT_EQ(last_batch(), (std::vector<std::string>{"a", "b"}));
}

TEST_F(HandingOverTest, WorkGoesToASleeperWhenTheDriverCanTakeNoMore) {
  Start(2, false);
  WaitUntilFollowed();
  const size_t other = all_.instances[0].is_following ? 1 : 0;
  const size_t before = all_.batch_count(other);
  Submit({"b"});
  fake_.answers.WaitFor(warm_);
  EXPECT_EQ(all_.batch_count(other), before + 1);
}

TEST_F(HandingOverTest, AnInstanceThatAlwaysHasWorkGetsTheLoopAllTheSame) {
  all_.allowed = 0;
  Start(1, false);
  RequestList first;
  first.push_back(fake_.Request(1, clock_.Now(), "first"));
  scheduler_->Submit(std::move(first), nullptr);
  Submit({"a", "b", "c", "d", "e", "f", "g", "h"});
  // It may miss an offer on a busy machine, but not each.
  for (int batches = 0; all_.follows == 0 && batches < 100'000; ++batches) {
    Submit({"a", "b", "c", "d"});  // as many as a batch has: there is always more
    ++all_.allowed;
    while (all_.allowed > 0 && all_.follows == 0) Submit({"more"});
  }
  EXPECT_GE(all_.follows, 1);
  all_.allowed = 1 << 30;
}

TEST_F(HandingOverTest, NothingIsHandedOverWhereTheOrderIsKept) {
  Start(2, true);
  for (int i = 1; i <= 40; ++i) {
    Submit({"a"});
    fake_.answers.WaitFor(i);
  }
  EXPECT_EQ(all_.follows, 0);
}

}  // namespace
}  // namespace pt::schedule
