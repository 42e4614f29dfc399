#include "backend/worker_priority.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "backend/worker_fixture.h"

namespace pt::backend {
namespace {

// Sets its own process's: only threads of it need to be there to be asked.
class WorkerPriorityTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (sched_getscheduler(0) != SCHED_OTHER) GTEST_SKIP() << "this process has a priority";
  }
  void TearDown() override { SetPriority(getpid(), WorkerPriority::kNormal); }
};

TEST_F(WorkerPriorityTest, BackgroundIsOnlyWhatCanBeLeft) {
  SetPriority(getpid(), WorkerPriority::kBackground);
  EXPECT_NE(sched_getscheduler(0), SCHED_OTHER);
  SetPriority(getpid(), WorkerPriority::kPatient);
  EXPECT_EQ(sched_getscheduler(0), SCHED_BATCH);
  SetPriority(getpid(), WorkerPriority::kNormal);
  EXPECT_EQ(sched_getscheduler(0), SCHED_OTHER);
}

TEST_F(WorkerPriorityTest, IsThatOfEveryThread) {
  std::atomic<int> step = 0;
  int before = -1;
  int after = -1;
  std::thread other([&] {
    step = 1;
    step.notify_all();
    step.wait(1);
    before = sched_getscheduler(0);
    step = 3;
    step.notify_all();
    step.wait(3);
    after = sched_getscheduler(0);
  });
  step.wait(0);
  SetPriority(getpid(), WorkerPriority::kPatient);
  step = 2;
  step.notify_all();
  step.wait(2);
  SetPriority(getpid(), WorkerPriority::kNormal);
  step = 4;
  step.notify_all();
  other.join();
  EXPECT_EQ(before, SCHED_BATCH);
  EXPECT_EQ(after, SCHED_OTHER);
}

TEST_F(WorkerPriorityTest, AProcessThatIsGoneIsNobody) {
  SetPriority(1 << 30, WorkerPriority::kBackground);
  EXPECT_EQ(sched_getscheduler(0), SCHED_OTHER);
}

constexpr char kTellsPolicy[] = R"(
import os
import threading
import numpy as np
import triton_python_backend_utils as pb_utils
class TritonPythonModel:
    def initialize(self, args):
        self.then = os.sched_getscheduler(0)
        told = threading.Event()
        def idle():
            self.thread = threading.get_native_id()
            told.set()
            threading.Event().wait()
        threading.Thread(target=idle, daemon=True).start()
        told.wait()
    def execute(self, requests):
        found = [self.then, os.sched_getscheduler(0), os.sched_getscheduler(self.thread)]
        found = np.array(found, np.float32)
        return [pb_utils.InferenceResponse([pb_utils.Tensor("Y", found)]) for _ in requests]
)";

using WorkerPriorityOfModelTest = WorkerBackendTest;

TEST_F(WorkerPriorityOfModelTest, IsLowWhileItLoadsAndNormalWhenItServes) {
  if (sched_getscheduler(0) != SCHED_OTHER) GTEST_SKIP() << "this process has a priority";
  const Status status = Load(kTellsPolicy);
  ASSERT_TRUE(status.ok()) << status.message();
  ExecuteOne({1});
  EXPECT_EQ(Output(0), (std::vector<float>{SCHED_BATCH, SCHED_OTHER, SCHED_OTHER}));
}

}  // namespace
}  // namespace pt::backend
