// The scheduler with real threads: batches, limits, stop, order, and the way an event loop's role
// goes to a short model's instance and back.
#include "schedule/queue_scheduler.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "schedule/factory.h"
#include "schedule/fake_loop.h"
#include "schedule/fake_requests.h"

namespace pt::schedule {
namespace {

// Lets a test hold executions back and see what they got.
struct Stage {
  Mutex mu;
  CondVar changed;
  bool is_open GUARDED_BY(mu) = true;
  std::vector<std::vector<std::string>> batches GUARDED_BY(mu);
  std::set<std::thread::id> threads GUARDED_BY(mu);
  std::string slow_id GUARDED_BY(mu);  // the batch with this request waits for Open
  Status start_status;

  void Close() {
    MutexLock lock(&mu);
    is_open = false;
  }
  void Open() {
    MutexLock lock(&mu);
    is_open = true;
    changed.NotifyAll();
  }
  void Enter(const Batch& batch) {
    MutexLock lock(&mu);
    threads.insert(std::this_thread::get_id());
    std::vector<std::string> ids;
    bool waits = slow_id.empty();
    for (const RequestPtr& request : batch.requests) {
      ids.push_back(request->id);
      waits = waits || request->id == slow_id;
    }
    batches.push_back(ids);
    changed.NotifyAll();
    while (waits && !is_open) changed.Wait(&mu);
  }
  std::vector<std::vector<std::string>> WaitForBatches(size_t count) {
    MutexLock lock(&mu);
    while (batches.size() < count) changed.Wait(&mu);
    return batches;
  }
};

class StagedInstance final : public BackendInstance {
 public:
  explicit StagedInstance(Stage* stage) : stage_(stage) {}
  Status Start() override { return stage_->start_status; }
  void Execute(Batch* batch, ExecutionTimes*) override { stage_->Enter(*batch); }

 private:
  Stage* const stage_;
};

class StagedBackend final : public Backend {
 public:
  explicit StagedBackend(Stage* stage) : stage_(stage) {}
  Result<std::unique_ptr<BackendInstance>> CreateInstance(int) override {
    return std::unique_ptr<BackendInstance>(std::make_unique<StagedInstance>(stage_));
  }

 private:
  Stage* const stage_;
};

class QueueSchedulerTest : public testing::Test {
 protected:
  ~QueueSchedulerTest() override {
    if (scheduler_) scheduler_->Stop();
  }
  void Start() {
    backend_ = std::make_unique<StagedBackend>(&stage_);
    SchedulerDeps deps{&fake_.model(), backend_.get(), &clock_, &alarm_, nullptr};
    scheduler_ = std::move(MakeScheduler(deps)).value();
    const Status status = scheduler_->Start();
    ASSERT_TRUE(status.ok()) << status.ToString();
  }
  void Submit(std::vector<std::string> ids, LoopHost* host = nullptr) {
    RequestList list;
    for (std::string& id : ids) list.push_back(fake_.Request(1, clock_.Now(), std::move(id)));
    scheduler_->Submit(std::move(list), host);
  }

  using Batches = std::vector<std::vector<std::string>>;
  SteadyClock clock_;
  Alarm alarm_;
  Stage stage_;
  FakeModel fake_{4};
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Scheduler> scheduler_;
};

TEST_F(QueueSchedulerTest, BatchesWhatCameWhileTheLastOneRan) {
  Start();
  stage_.Close();
  Submit({"a"});
  stage_.WaitForBatches(1);
  Submit({"b"});
  Submit({"c", "d", "e", "f"});
  stage_.Open();
  fake_.answers.WaitFor(6);
  EXPECT_EQ(stage_.WaitForBatches(3), (Batches{{"a"}, {"b", "c", "d", "e"}, {"f"}}));
}

TEST_F(QueueSchedulerTest, StatisticsAreThereWhenTheAnswerIs) {
  Start();
  Submit({"a", "b"});
  fake_.answers.WaitFor(2);
  const StatsSnapshot stats = fake_.model().stats().Snapshot();
  EXPECT_EQ(stats.inference_count, 2u);
  EXPECT_EQ(stats.success.count, 2u);
  EXPECT_EQ(stats.queue.count, 2u);
}

TEST_F(QueueSchedulerTest, AnInstanceKeepsItsThread) {
  Start();
  for (int i = 0; i < 20; ++i) {
    Submit({std::to_string(i)});
    fake_.answers.WaitFor(static_cast<size_t>(i) + 1);
  }
  MutexLock lock(&stage_.mu);
  EXPECT_EQ(stage_.threads.size(), 1u);
}

TEST_F(QueueSchedulerTest, InstancesRunSideBySide) {
  fake_.config.instance_groups.push_back({"g", InstanceKind::kCpu, 2, {}});
  fake_.config.max_batch_size = 1;
  Start();
  stage_.Close();
  Submit({"a", "b"});
  stage_.WaitForBatches(2);  // would hang if one instance ran both
  stage_.Open();
  fake_.answers.WaitFor(2);
}

TEST_F(QueueSchedulerTest, KeepsOrderAcrossInstances) {
  fake_.config.instance_groups.push_back({"g", InstanceKind::kCpu, 2, {}});
  fake_.config.max_batch_size = 1;
  fake_.config.dynamic_batching.preserve_ordering = true;
  Start();
  {
    MutexLock lock(&stage_.mu);
    stage_.slow_id = "slow";
    stage_.is_open = false;
  }
  Submit({"slow"});
  stage_.WaitForBatches(1);
  Submit({"b", "c"});
  stage_.WaitForBatches(3);
  EXPECT_EQ(fake_.answers.count(), 0u);
  stage_.Open();
  std::string order;
  for (const auto& answer : fake_.answers.WaitFor(3)) order += answer.id + " ";
  EXPECT_EQ(order, "slow b c ");
}

TEST_F(QueueSchedulerTest, DeadlinesAreKeptWhileTheInstanceIsBusy) {
  Start();
  stage_.Close();
  Submit({"busy"});
  stage_.WaitForBatches(1);
  RequestList list;
  list.push_back(fake_.Request(1, clock_.Now(), "late"));
  list.back()->deadline = clock_.Now() + std::chrono::milliseconds(5);
  scheduler_->Submit(std::move(list), nullptr);
  const auto answers = fake_.answers.WaitFor(1);
  EXPECT_EQ(answers[0].id, "late");
  EXPECT_EQ(answers[0].status.code(), Code::kDeadlineExceeded);
  stage_.Open();
  EXPECT_EQ(fake_.answers.WaitFor(2)[1].id, "busy");
  EXPECT_EQ(stage_.WaitForBatches(1).size(), 1u) << "the late one must not run";
}

TEST_F(QueueSchedulerTest, StopAnswersWhatWaits) {
  Start();
  stage_.Close();
  Submit({"running"});
  stage_.WaitForBatches(1);
  Submit({"waiting"});
  std::thread stopper([&] { scheduler_->Stop(); });
  const auto answers = fake_.answers.WaitFor(1);
  EXPECT_EQ(answers[0].id, "waiting");
  EXPECT_EQ(answers[0].status.code(), Code::kUnavailable);
  stage_.Open();
  stopper.join();
  EXPECT_TRUE(fake_.answers.WaitFor(2)[1].status.ok());
  Submit({"after"});
  EXPECT_EQ(fake_.answers.WaitFor(3)[2].status.code(), Code::kUnavailable);
}

TEST_F(QueueSchedulerTest, AFailedStartIsReported) {
  stage_.start_status = Internal("no device");
  backend_ = std::make_unique<StagedBackend>(&stage_);
  SchedulerDeps deps{&fake_.model(), backend_.get(), &clock_, &alarm_, nullptr};
  scheduler_ = std::move(MakeScheduler(deps)).value();
  EXPECT_EQ(scheduler_->Start().message(), "no device");
}

class LoopDrivingTest : public QueueSchedulerTest {
 protected:
  ~LoopDrivingTest() override { scheduler_->Stop(); }

  void Infer(const std::string& id) {
    loop_.RunRound([this, id] { Submit({id}, &loop_); });
    fake_.answers.WaitFor(++sent_);
  }
  // Batches until the model is known to be short and the loop has moved to its instance.
  void WarmUp() {
    Start();
    for (int i = 0; i < 4000 && !loop_.is_away(); ++i) Infer("warm");
    ASSERT_TRUE(loop_.is_away());
    loop_.WaitUntilDrivenElsewhere();
  }

  FakeLoop loop_;
  size_t sent_ = 0;
};

TEST_F(LoopDrivingTest, AShortModelsInstanceTakesTheLoopOver) {
  WarmUp();
  for (int i = 0; i < 10; ++i) Infer("on the loop");
  EXPECT_TRUE(loop_.is_away());
  MutexLock lock(&stage_.mu);
  EXPECT_EQ(stage_.threads.size(), 1u) << "the callable's thread never changes";
}

TEST_F(LoopDrivingTest, WorkFromElsewhereWakesTheDriver) {
  WarmUp();
  Submit({"from another loop"});
  fake_.answers.WaitFor(++sent_);
}

TEST_F(LoopDrivingTest, AClosingLoopGetsItsRoleBack) {
  WarmUp();
  loop_.Close();
  loop_.WaitForReturn();
  Submit({"goes on"});
  fake_.answers.WaitFor(++sent_);
}

TEST_F(LoopDrivingTest, StopGivesTheLoopBack) {
  WarmUp();
  scheduler_->Stop();
  loop_.WaitForReturn();
}

TEST_F(LoopDrivingTest, AnOverrunSendsTheLoopHome) {
  WarmUp();
  stage_.Close();
  const size_t batches = stage_.WaitForBatches(1).size();
  loop_.RunRound([this] { Submit({"slow"}, &loop_); });
  stage_.WaitForBatches(batches + 1);
  // The slow batch is under way on the driver; make it long beyond doubt by the clock itself.
  const TimePoint until = clock_.Now() + 3 * ShortModel::kOverrun;
  while (clock_.Now() < until) {
  }
  stage_.Open();
  fake_.answers.WaitFor(++sent_);
  loop_.WaitForReturn();
}

TEST(ShortModel, NeedsProofAndForgetsSlowly) {
  ShortModel model;
  for (int i = 0; i < ShortModel::kProof; ++i) {
    EXPECT_FALSE(model.is_short());
    model.Record(std::chrono::microseconds(10));
  }
  EXPECT_TRUE(model.is_short());
  model.Record(ShortModel::kOverrun + std::chrono::microseconds(1));
  for (int i = 0; i < ShortModel::kProofAfterOverrun; ++i) {
    EXPECT_FALSE(model.is_short());
    model.Record(std::chrono::microseconds(10));
  }
  EXPECT_TRUE(model.is_short());
}

}  // namespace
}  // namespace pt::schedule
