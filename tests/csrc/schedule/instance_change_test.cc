// Instances that come and go while a model serves: none of its requests is lost or fails.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/alarm.h"
#include "infer/instance_places.h"
#include "infer/model_change.h"
#include "schedule/fake_requests.h"
#include "schedule/queue_scheduler.h"

namespace pt::schedule {
namespace {

// What instances do and did, by number.
struct Crew {
  Mutex mu;
  CondVar changed;
  std::set<int> started GUARDED_BY(mu);
  std::set<int> stopped GUARDED_BY(mu);
  std::set<int> forgotten GUARDED_BY(mu);
  std::set<int> busy GUARDED_BY(mu);
  std::set<int> held GUARDED_BY(mu);  // executions of these wait
  int fails = -1;                     // this one can't start

  void Note(std::set<int>* which, int ordinal) REQUIRES(mu) {
    which->insert(ordinal);
    changed.NotifyAll();
  }
  void AwaitForgotten(const std::set<int>& ordinals) {
    MutexLock lock(&mu);
    while (forgotten != ordinals) changed.Wait(&mu);
  }
  void AwaitBusy(int ordinal) {
    MutexLock lock(&mu);
    while (!busy.contains(ordinal)) changed.Wait(&mu);
  }
  void Hold(std::set<int> ordinals) {
    MutexLock lock(&mu);
    held = std::move(ordinals);
    changed.NotifyAll();
  }
};

class CrewInstance final : public BackendInstance {
 public:
  CrewInstance(Crew* crew, int ordinal) : crew_(crew), ordinal_(ordinal) {}
  Status Start() override {
    MutexLock lock(&crew_->mu);
    if (ordinal_ == crew_->fails) return Internal("it can't");
    crew_->Note(&crew_->started, ordinal_);
    return {};
  }
  void Execute(Batch* batch, ExecutionTimes*) override {
    EXPECT_FALSE(batch->requests.empty());
    MutexLock lock(&crew_->mu);
    EXPECT_FALSE(crew_->stopped.contains(ordinal_));
    crew_->Note(&crew_->busy, ordinal_);
    while (crew_->held.contains(ordinal_)) crew_->changed.Wait(&crew_->mu);
    crew_->busy.erase(ordinal_);
  }
  void Stop() override {
    MutexLock lock(&crew_->mu);
    crew_->Note(&crew_->stopped, ordinal_);
  }

 private:
  Crew* const crew_;
  const int ordinal_;
};

class CrewBackend final : public Backend {
 public:
  CrewBackend(Crew* crew, const ModelConfig& config) : crew_(crew), roster_(config) {}
  Result<std::unique_ptr<BackendInstance>> CreateInstance(int ordinal) override {
    return std::unique_ptr<BackendInstance>(std::make_unique<CrewInstance>(crew_, ordinal));
  }
  bool CanChange() const override { return true; }
  Result<InstanceChange> PlanChange(const ModelConfig& config,
                                    const std::shared_ptr<LoadControl>&) override {
    MutexLock lock(&mu_);
    return roster_.Plan(config);
  }
  void Forget(int ordinal) override {
    {
      MutexLock lock(&mu_);
      roster_.Forget(ordinal);
    }
    MutexLock lock(&crew_->mu);
    crew_->Note(&crew_->forgotten, ordinal);
  }

 private:
  Crew* const crew_;
  Mutex mu_;
  InstanceRoster roster_ GUARDED_BY(mu_);
};

class InstanceChangeTest : public ::testing::Test {
 protected:
  InstanceChangeTest() { fake_.config.instance_groups.resize(1); }
  // Requests pin the model: all are answered before it goes.
  ~InstanceChangeTest() override { fake_.model().Stop(); }

  void Start() {
    Model& model = fake_.model();
    auto backend = std::make_unique<CrewBackend>(&crew_, model.config());
    SchedulerDeps deps;
    deps.model = &model;
    deps.backend = backend.get();
    deps.clock = &clock_;
    deps.alarm = &alarm_;
    auto scheduler = std::make_unique<QueueScheduler>(deps);
    model.Attach(std::move(backend), std::move(scheduler));
    ASSERT_TRUE(model.Start().ok());
  }
  ModelConfig Counted(int count) {
    ModelConfig config = fake_.config;
    config.instance_groups[0].count = count;
    return config;
  }
  Status Change(int count) {
    auto change = ModelChange::Prepare(fake_.model().Acquire(), Counted(count), nullptr);
    if (!change.ok()) return change.status();
    (*change)->Commit();
    return {};
  }
  void Submit(const std::string& id) {
    RequestList list;
    list.push_back(fake_.Request(1, clock_.Now(), id));
    fake_.model().scheduler().Submit(std::move(list), nullptr);
  }

  SteadyClock clock_;
  Alarm alarm_;
  Crew crew_;
  FakeModel fake_{1};
};

TEST_F(InstanceChangeTest, NewOnesTakeWorkAndOthersGoOn) {
  Start();
  crew_.Hold({0, 1, 2});
  Submit("a");
  crew_.AwaitBusy(0);
  ASSERT_TRUE(Change(3).ok());
  Submit("b");
  Submit("c");
  crew_.AwaitBusy(1);
  crew_.AwaitBusy(2);
  EXPECT_EQ(fake_.model().current_config()->instance_count(), 3);
  crew_.Hold({});
  EXPECT_EQ(fake_.answers.WaitFor(3).size(), 3U);
}

TEST_F(InstanceChangeTest, OneThatLeavesEndsWhatItRunsAndHoldsUpNobody) {
  fake_.config.instance_groups[0].count = 2;
  Start();
  crew_.Hold({0, 1});
  for (int i = 0; i < 8; ++i) Submit(std::to_string(i));
  crew_.AwaitBusy(1);
  crew_.Hold({1});
  ASSERT_TRUE(Change(1).ok());  // doesn't wait for it
  for (int i = 8; i < 16; ++i) Submit(std::to_string(i));
  fake_.answers.WaitFor(15);
  {
    MutexLock lock(&crew_.mu);
    EXPECT_FALSE(crew_.stopped.contains(1));
  }
  crew_.Hold({});
  crew_.AwaitForgotten({1});
  for (const auto& answer : fake_.answers.WaitFor(16)) EXPECT_TRUE(answer.status.ok());
}

TEST_F(InstanceChangeTest, NothingChangesWhenOneCannotStart) {
  Start();
  crew_.fails = 2;
  const Status status = Change(3);
  EXPECT_EQ(status.message(), "it can't");
  EXPECT_EQ(fake_.model().current_config()->instance_count(), 1);
  crew_.AwaitForgotten({1, 2});
  {
    MutexLock lock(&crew_.mu);
    EXPECT_EQ(crew_.stopped, std::set<int>{1});
  }
  Submit("a");
  EXPECT_TRUE(fake_.answers.WaitFor(1)[0].status.ok());
}

TEST_F(InstanceChangeTest, ThoseThatArePreparedTakeNothingBeforeTheCommit) {
  Start();
  crew_.Hold({0});
  Submit("a");
  crew_.AwaitBusy(0);
  Submit("b");
  {
    auto change = ModelChange::Prepare(fake_.model().Acquire(), Counted(2), nullptr);
    ASSERT_TRUE(change.ok());
    EXPECT_EQ(fake_.model().scheduler().queued(), 1);
  }
  crew_.AwaitForgotten({1});
  crew_.Hold({});
  EXPECT_EQ(fake_.answers.WaitFor(2).size(), 2U);
}

TEST_F(InstanceChangeTest, OrderCannotBeginToMatter) {
  fake_.config.dynamic_batching.preserve_ordering = true;
  Start();
  EXPECT_FALSE(ModelChange::IsPossible(fake_.model(), Counted(2)));
  EXPECT_TRUE(ModelChange::IsPossible(fake_.model(), Counted(1)));
}

TEST_F(InstanceChangeTest, ManyChangesUnderSubmittersLoseNothing) {
  Start();
  constexpr int kSubmitters = 3;
  constexpr int kEach = 400;
  std::atomic<int> running{kSubmitters};
  std::vector<std::thread> submitters;
  for (int who = 0; who < kSubmitters; ++who) {
    submitters.emplace_back([&, who] {
      for (int i = 0; i < kEach; ++i) Submit(std::to_string(who) + ":" + std::to_string(i));
      --running;
    });
  }
  constexpr int kCounts[] = {3, 1, 4, 2};
  for (int round = 0; round < 12 || running > 0; ++round) {
    ASSERT_TRUE(Change(kCounts[round % 4]).ok());
  }
  for (std::thread& submitter : submitters) submitter.join();
  std::set<std::string> ids;
  for (const auto& answer : fake_.answers.WaitFor(kSubmitters * kEach)) {
    EXPECT_TRUE(answer.status.ok());
    ids.insert(answer.id);
  }
  EXPECT_EQ(ids.size(), static_cast<size_t>(kSubmitters * kEach));
}

}  // namespace
}  // namespace pt::schedule
