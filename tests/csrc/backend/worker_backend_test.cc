#include "backend/worker_backend.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "backend/worker_fixture.h"

namespace pt::backend {
namespace {

TEST_F(WorkerBackendTest, AnswersABatchInOrder) {
  const Status status = Load(kEcho);
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(completed_, "{\"name\":\"echo\"}");
  RequestList list;
  for (const float value : {1.0f, 2.0f, 3.0f}) list.push_back(Request({value}));
  Execute(std::move(list));
  for (size_t i = 0; i < 3; ++i) {
    ASSERT_TRUE(batch_.responses[i].status.ok()) << batch_.responses[i].status.message();
    EXPECT_EQ(Output(i), std::vector<float>({static_cast<float>(i) + 1}));
  }
}

TEST_F(WorkerBackendTest, TellsAlikeRequestsApartFromThoseThatDiffer) {
  ASSERT_TRUE(Load(kEcho).ok());
  const std::vector<std::vector<float>> values = {{1}, {2}, {3, 4}, {5}};
  for (const size_t count : {size_t{2}, values.size()}) {  // alike, and with one that isn't
    for (const char* id : {"", "me"}) {
      RequestList list;
      for (size_t i = 0; i < count; ++i) list.push_back(Request(values[i]));
      list.back()->id = id;
      Execute(std::move(list));
      for (size_t i = 0; i < count; ++i) {
        ASSERT_TRUE(batch_.responses[i].status.ok()) << batch_.responses[i].status.message();
        EXPECT_EQ(Output(i), values[i]);
      }
    }
  }
}

TEST_F(WorkerBackendTest, SendsLargeUnwrittenInputsBackWithoutACopy) {
  ASSERT_TRUE(Load(kEcho).ok());
  std::vector<float> values(1 << 20);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  for (int round = 0; round < 3; ++round) {
    ExecuteOne(values);
    ASSERT_TRUE(batch_.responses[0].status.ok()) << batch_.responses[0].status.message();
    EXPECT_EQ(Output(0), values);
    const Slice& data = batch_.responses[0].outputs[0].tensor.data;
    EXPECT_TRUE(pool_->region()->Locate(data.data, data.size).has_value());
    batch_ = Batch();
  }
}

TEST_F(WorkerBackendTest, ReportsADeathAtOnceAndServesOnWithAnotherProcess) {
  ASSERT_TRUE(Load(kEcho).ok());
  ExecuteOne({666});
  EXPECT_EQ(batch_.responses[0].status.message(),
            "Failed to process the request(s) for model 'echo_0', message: Stub process "
            "'echo_0' is not healthy.\nexit status 3");
  ExecuteOne({5});
  ASSERT_TRUE(batch_.responses[0].status.ok()) << batch_.responses[0].status.message();
  EXPECT_EQ(Output(0), std::vector<float>({5}));
}

constexpr char kGated[] = R"(
import os
import time
import triton_python_backend_utils as pb_utils
class TritonPythonModel:
    def initialize(self, args):
        self.directory = args["model_repository"]
    def execute(self, requests):
        x = pb_utils.get_input_tensor_by_name(requests[0], "X").as_numpy()
        while x[0] > 1 and not os.path.exists(f"{self.directory}/{int(x[0])}"):
            time.sleep(0.001)
        return [pb_utils.InferenceResponse([pb_utils.Tensor("Y", x)])]
)";

class FlagResponder final : public Responder {
 public:
  explicit FlagResponder(std::atomic<bool>* flag) : flag_(flag) {}
  void Send(InferResponse&& response, Finality) override { *flag_ = response.status.ok(); }

 private:
  std::atomic<bool>* const flag_;
};

TEST_F(WorkerBackendTest, AnswersAreNotHeldBackByALongBatchBehindThem) {
  ASSERT_TRUE(Load(kGated).ok());
  log_.kept.push_back(Request({1}));  // some wait, so that the model gets requests ahead
  std::atomic<bool> has_first{false};
  std::atomic<bool> has_second{false};
  for (auto& [value, flag] : {std::pair{2.0f, &has_first}, std::pair{1.0f, &has_second}}) {
    RequestList list;
    list.push_back(Request({value}, MakeRef<FlagResponder>(flag)));
    Execute(std::move(list));
    EXPECT_EQ(batch_.requests[0], nullptr) << "was not handed over ahead";
  }
  log_.kept.clear();
  std::atomic<bool> is_waiting{false};
  std::thread last([&] {
    batch_ = Batch();
    batch_.requests.push_back(Request({3}));
    batch_.responses.resize(1);
    batch_.before_long_wait = [&] { is_waiting = true; };
    ExecutionTimes times;
    instance_->Execute(&batch_, &times);
  });
  while (!is_waiting) std::this_thread::yield();
  std::ofstream(directory_ / "2") << "";
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!(has_first && has_second) && std::chrono::steady_clock::now() < end) {
    std::this_thread::yield();
  }
  EXPECT_TRUE(has_first && has_second);
  std::ofstream(directory_ / "3") << "";
  last.join();
  EXPECT_TRUE(batch_.responses[0].status.ok());
}

TEST_F(WorkerBackendTest, TellsWhyALoadFailed) {
  const Status status = Load("raise ValueError('no weights')\n");
  EXPECT_TRUE(status.message().starts_with("ValueError: no weights\n\nAt:\n  "))
      << status.message();
}

TEST_F(WorkerBackendTest, AProcessThatEndsAtLoadIsAnError) {
  const Status status = Load("import os\nprint('last words', flush=True)\nos._exit(7)\n");
  EXPECT_EQ(status.message(),
            "Stub process 'echo_0' is not healthy.\nexit status 7, last output: last words");
}

size_t OpenDescriptors() {
  size_t count = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

TEST_F(WorkerBackendTest, ProcessesThatEndAtLoadLeaveNoDescriptors) {
  EXPECT_FALSE(Load("import os\nos._exit(7)\n").ok());  // starts the template, which stays
  backend_.reset();
  const size_t before = OpenDescriptors();
  for (int round = 0; round < 8; ++round) {
    EXPECT_FALSE(Load("import os\nos._exit(7)\n").ok());
    instance_.reset();
    backend_.reset();
  }
  // The monitor drops the last one a moment later.
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (OpenDescriptors() > before && std::chrono::steady_clock::now() < end) {
    std::this_thread::yield();
  }
  // Not more: those of the first one may still have been open.
  EXPECT_LE(OpenDescriptors(), before);
}

class ImpatientBackendTest : public WorkerBackendTest {
 protected:
  ImpatientBackendTest() { load_limit_ = std::chrono::seconds(2); }
};

TEST_F(ImpatientBackendTest, GivesUpALoadThatHangs) {
  const Status status = Load("import time\ntime.sleep(1000)\n");
  EXPECT_EQ(status.message(),
            "Stub process 'echo_0' is not healthy.\nit did not answer within its time and was "
            "killed");
}

TEST_F(WorkerBackendTest, AFinalizeThatHangsEndsWithItsLimit) {
  ASSERT_TRUE(Load(std::string(kEcho) + R"(
    def finalize(self):
        open(__file__ + ".begun", "w").close()
        while True:
            pass
)")
                  .ok());
  instance_->Stop();
  EXPECT_TRUE(fs::exists(directory_ / "1" / "model.py.begun"));
  ExecuteOne({5});
  EXPECT_FALSE(batch_.responses[0].status.ok());
}

TEST_F(WorkerBackendTest, AModelSaysItselfWhetherItIsReady) {
  ASSERT_TRUE(Load(std::string(kEcho) + R"(
    def is_ready(self):
        return not os.path.exists(__file__ + ".busy")
)")
                  .ok());
  EXPECT_TRUE(backend_->Health().ok());
  const fs::path flag = directory_ / "1" / "model.py.busy";
  std::ofstream(flag) << "";
  while (backend_->Health().ok()) std::this_thread::yield();
  EXPECT_EQ(backend_->Health().message(),
            "Model 'echo_0' is not ready (user-defined check failed).");
  ExecuteOne({5});  // it can be asked all the same
  EXPECT_TRUE(batch_.responses[0].status.ok());
  fs::remove(flag);
  while (!backend_->Health().ok()) std::this_thread::yield();
}

}  // namespace
}  // namespace pt::backend
