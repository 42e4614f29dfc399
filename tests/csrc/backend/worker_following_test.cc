// Instances whose thread drives an event loop: batches are handed over, and the loop hears of their
// ends.
#include <poll.h>

#include <atomic>
#include <chrono>

#include "backend/worker_fixture.h"
#include "infer/loop_host.h"
#include "infer/stats.h"

namespace pt::backend {
namespace {

// A loop of the test's thread that watches one descriptor.
class OneSignalLoop final : public LoopHost {
 public:
  bool IsDrivenHere() const override { return true; }
  bool IsHome() const override { return false; }
  void Release() override {}
  bool Drive(FunctionRef<bool()>) override { return true; }
  void ReturnHome() override {}
  void Wake() override {}
  Status Watch(int fd, LoopSignal* signal) override {
    fd_ = fd;
    signal_ = signal;
    return {};
  }
  void Unwatch(int fd, LoopSignal* signal) override {
    EXPECT_EQ(fd, fd_);
    EXPECT_EQ(signal, signal_);
    signal_ = nullptr;
  }
  void LimitWait(Duration) override {
    is_limited_ = true;
    ++limits_;
  }

  // A round as the scheduler has the real loop do it: rests, waits, hears.
  void Round(BackendInstance* instance) {
    if (instance->Rest() || signal_ == nullptr) return;
    pollfd waited{fd_, POLLIN, 0};
    poll(&waited, 1, is_limited_ ? 1 : 100);
    is_limited_ = false;
    uint64_t count = 0;
    if (waited.revents != 0 && read(fd_, &count, sizeof count) != 8) ADD_FAILURE() << "no bell";
    signal_->OnSignal();
  }
  bool is_watched() const { return signal_ != nullptr; }
  // Waits that were to end early.
  int limits() const { return limits_; }

 private:
  int fd_ = -1;
  bool is_limited_ = false;
  int limits_ = 0;
  LoopSignal* signal_ = nullptr;
};

// Counts final answers, and keeps the last error.
class CountingResponder final : public Responder {
 public:
  struct Tally {
    std::atomic<int> right{0};
    std::atomic<int> failed{0};
  };
  explicit CountingResponder(Tally* tally) : tally_(tally) {}
  void Send(InferResponse&& response, Finality) override {
    ++(response.status.ok() ? tally_->right : tally_->failed);
  }

 private:
  Tally* const tally_;
};

class WorkerFollowingTest : public WorkerBackendTest {
 protected:
  WorkerFollowingTest() { config_.scheduler = SchedulerKind::kDynamic; }
  void TearDown() override {
    if (instance_) instance_->Unfollow();
    WorkerBackendTest::TearDown();
  }

  void HandOver(const std::vector<float>& values) {
    batch_ = Batch();
    for (const float value : values) {
      batch_.requests.push_back(Request({value}, MakeRef<CountingResponder>(&tally_)));
    }
    batch_.responses.resize(values.size());
    batch_.started = std::chrono::steady_clock::now();
    batch_.record.requests = batch_.record.batch_size = values.size();
    batch_.before_long_wait = [this] { instance_->Unfollow(); };
    ExecutionTimes times;
    instance_->Follow(&loop_);
    instance_->Execute(&batch_, &times);
    for (const RequestPtr& request : batch_.requests) EXPECT_EQ(request, nullptr);
    EXPECT_TRUE(batch_.is_handed_over);
  }
  void RunUntil(FunctionRef<bool()> is_enough) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!is_enough() && std::chrono::steady_clock::now() < end) loop_.Round(instance_.get());
    EXPECT_TRUE(is_enough());
  }

  void Open(int gate) { std::ofstream(directory_ / std::to_string(gate)) << ""; }

  OneSignalLoop loop_;
  CountingResponder::Tally tally_;
};

constexpr char kGatedBatches[] = R"(
import os
import time
import triton_python_backend_utils as pb_utils
class TritonPythonModel:
    def initialize(self, args):
        self.directory = args["model_repository"]
    def execute(self, requests):
        answers = []
        for request in requests:
            x = pb_utils.get_input_tensor_by_name(request, "X").as_numpy()
            while x[0] > 1 and not os.path.exists(f"{self.directory}/{int(x[0])}"):
                time.sleep(0.001)
            if x[0] > 2:
                os._exit(3)
            answers.append(pb_utils.InferenceResponse([pb_utils.Tensor("Y", x)]))
        return answers
)";

// A worker that is quick may have answered before the hand-over is looked at: so it waits for a
// gate.
TEST_F(WorkerFollowingTest, HandsABatchOverAndTakesNoOtherBeforeItsAnswerCame) {
  ASSERT_TRUE(Load(kGatedBatches).ok());
  HandOver({2, 1, 1});
  EXPECT_FALSE(instance_->CanTake());
  Open(2);
  RunUntil([&] { return instance_->CanTake(); });
  EXPECT_EQ(tally_.right, 3);
  const StatsSnapshot stats = model_->stats().Snapshot();
  EXPECT_EQ(stats.execution_count, 1u);
  EXPECT_GT(stats.compute_infer.ns, 0u);
  for (int i = 0; i < 5; ++i) {
    HandOver({1});
    RunUntil([&] { return instance_->CanTake(); });
    EXPECT_EQ(tally_.right, 4 + i);
  }
}

TEST_F(WorkerBackendTest, AModelThatTakesTurnsGetsNothingAhead) {
  config_.parameters["exclusive_group"] = "one";
  ASSERT_TRUE(Load(kEcho).ok());
  log_.kept.push_back(Request({1}));  // more waits, but
  ExecuteOne({5});
  ASSERT_TRUE(batch_.responses[0].status.ok());
  EXPECT_NE(batch_.requests[0], nullptr) << "was handed over ahead";
  log_.kept.clear();
}

class WorkerOverlapTest : public WorkerFollowingTest {
 protected:
  WorkerOverlapTest() { cheap_request_ = std::chrono::minutes(1); }
};

TEST_F(WorkerOverlapTest, OneMoreBatchLiesBeforeACheapModelAndNoThird) {
  ASSERT_TRUE(Load(kGatedBatches).ok());
  HandOver({2, 1});
  EXPECT_TRUE(instance_->CanTake());
  HandOver({1, 1, 1});
  EXPECT_FALSE(instance_->CanTake());
  EXPECT_EQ(tally_.right, 0);
  Open(2);
  RunUntil([&] { return tally_.right == 5; });
  EXPECT_EQ(model_->stats().Snapshot().execution_count, 2u);
}

TEST_F(WorkerOverlapTest, TheFirstOfTwoBatchesIsAnsweredAtOnceWhileTheSecondRuns) {
  ASSERT_TRUE(Load(kGatedBatches).ok());
  HandOver({1.5, 1});
  HandOver({2, 1});
  Open(1);
  RunUntil([&] { return tally_.right == 2; });
  EXPECT_EQ(loop_.limits(), 0);
  Open(2);
  RunUntil([&] { return tally_.right == 4; });
}

TEST_F(WorkerOverlapTest, AnIdleWorkerOfACheapModelBeginsWithHalfOfMany) {
  ASSERT_TRUE(Load(kGatedBatches).ok());
  HandOver({1});
  RunUntil([&] { return tally_.right == 1; });
  EXPECT_EQ(instance_->Share(64), 32u);
  EXPECT_EQ(instance_->Share(17), 9u);
  EXPECT_EQ(instance_->Share(15), 15u);
  HandOver({2});
  EXPECT_EQ(instance_->Share(64), 64u);  // which wait for the other half
  Open(2);
  RunUntil([&] { return tally_.right == 2; });
  EXPECT_EQ(instance_->Share(64), 32u);
}

TEST_F(WorkerFollowingTest, TheBatchesOfAModelThatIsntCheapStayWhole) {
  ASSERT_TRUE(Load(kGatedBatches).ok());
  HandOver({1});
  RunUntil([&] { return tally_.right == 1; });
  EXPECT_EQ(instance_->Share(64), 64u);
}

constexpr char kCostlyBatches[] = R"(
import time
import triton_python_backend_utils as pb_utils
class TritonPythonModel:
    def execute(self, requests):
        time.sleep(0.02)
        inputs = [pb_utils.get_input_tensor_by_name(r, "X").as_numpy() for r in requests]
        return [pb_utils.InferenceResponse([pb_utils.Tensor("Y", x)]) for x in inputs]
)";

TEST_F(WorkerOverlapTest, BatchesThatCostMuchWhateverTheirSizeStayWhole) {
  ASSERT_TRUE(Load(kCostlyBatches).ok());
  int answers = 0;
  for (const size_t size : {30, 1, 30, 1}) {
    HandOver(std::vector<float>(size, 1));
    answers += static_cast<int>(size);
    RunUntil([&] { return tally_.right == answers && instance_->CanTake(); });
  }
  EXPECT_EQ(instance_->Share(64), 64u);
  HandOver({1});
  EXPECT_FALSE(instance_->CanTake()) << "and nothing is handed over ahead";
  RunUntil([&] { return instance_->CanTake(); });
}

TEST_F(WorkerOverlapTest, ABatchThatACrashFoundUnbegunRunsAgain) {
  ASSERT_TRUE(Load(kGatedBatches).ok());
  std::atomic<bool> are_back{false};
  log_.on_submit = [&] { are_back = true; };
  HandOver({3, 1});
  HandOver({1, 1, 1});
  Open(3);
  RunUntil([&] { return are_back && instance_->CanTake(); });
  EXPECT_EQ(tally_.failed, 2);
  EXPECT_EQ(log_.submitted, std::vector<size_t>{3});
  EXPECT_EQ(tally_.right, 0);
  // The next one goes to another process, to which the loop listens then.
  while (!backend_->Health().ok()) std::this_thread::yield();
  HandOver({1});
  EXPECT_TRUE(loop_.is_watched());
  RunUntil([&] { return tally_.right == 1; });
}

TEST_F(WorkerOverlapTest, WhatIsWithTheWorkerIsAnsweredWhenNoLoopIsFollowedAnyMore) {
  ASSERT_TRUE(Load(kGatedBatches).ok());
  HandOver({2, 1});
  HandOver({1});
  instance_->Unfollow();
  EXPECT_FALSE(loop_.is_watched());
  EXPECT_TRUE(instance_->CanTake());
  Open(2);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (tally_.right < 3 && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  EXPECT_EQ(tally_.right, 3);
  ExecuteOne({1});  // waits, as without a loop
  EXPECT_TRUE(batch_.responses[0].status.ok());
}

}  // namespace
}  // namespace pt::backend
