// Real worker processes: needs an interpreter with numpy (environment variable
// PYTRITON_TEST_PYTHON, else python3) and the sources of the package.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backend/worker_backend.h"
#include "base/shared_region.h"
#include "infer/fakes.h"

namespace pt::backend {

namespace fs = std::filesystem;
using testing::FakeResponder;
using testing::Spec;

inline std::string Interpreter() {
  const char* named = std::getenv("PYTRITON_TEST_PYTHON");
  return named == nullptr ? "python3" : named;
}

inline bool HasNumpy() {
  return std::system((Interpreter() + " -c 'import numpy' 2>/dev/null").c_str()) == 0;
}

inline fs::path Sources() { return PT_TEST_SOURCES; }

inline constexpr char kEcho[] = R"(
import os
import numpy as np
import triton_python_backend_utils as pb_utils
class TritonPythonModel:
    def initialize(self, args):
        self.name = args["model_instance_name"]
    def execute(self, requests):
        answers = []
        for request in requests:
            x = pb_utils.get_input_tensor_by_name(request, "X").as_numpy()
            if x.size == 1 and x[0] == 666:
                os._exit(3)
            if x.size == 1 and x[0] == 667:
                x[0] = 1
            answers.append(pb_utils.InferenceResponse([pb_utils.Tensor("Y", x)]))
        return answers
)";

class WorkerBackendTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!HasNumpy()) GTEST_SKIP() << "no numpy in " << Interpreter();
    directory_ = fs::temp_directory_path() / ("pt_worker_" + std::to_string(getpid()));
    fs::create_directories(directory_ / "1");
    auto region = SharedRegion::Create("test", size_t{1} << 32, SharedRegion::Access::kReadWrite);
    ASSERT_TRUE(region.ok()) << region.status().message();
    pool_ = std::make_unique<BlockPool>(size_t{64} << 20, *region);
    WorkerBackendOptions options;
    options.interpreter = Interpreter();
    options.program = (Sources() / "pytriton/backends/_worker.py").string();
    options.load_limit = load_limit_;
    options.finalize_limit = std::chrono::seconds(2);
    options.ahead = std::chrono::minutes(1);  // however slow this machine is
    options.cheap_request = cheap_request_;
    auto backends = WorkerBackends::Create(options, pool_.get(), nullptr, nullptr);
    ASSERT_TRUE(backends.ok()) << backends.status().message();
    backends_ = std::move(*backends);
    config_.name = "echo";
    config_.document_json = "{}";
    config_.inputs.push_back(Spec("X", DataType::kFp32, Shape{-1}));
    config_.outputs.push_back(Spec("Y", DataType::kFp32, Shape{-1}));
    model_ = std::make_unique<Model>(config_, 1);
    model_->Attach(nullptr, std::make_unique<testing::FakeScheduler>(&log_));
  }
  void TearDown() override {
    batch_ = Batch();
    if (instance_) instance_->Stop();
    instance_.reset();
    backend_.reset();
    log_.kept.clear();
    model_.reset();
    backends_.reset();
    if (pool_) {
      EXPECT_EQ(pool_->live_blocks(), 0u);
    }
    fs::remove_all(directory_);
  }

  Status Load(const std::string& code) {
    std::ofstream(directory_ / "1" / "model.py") << code;
    VersionSource source;
    source.name = "echo";
    source.backend = "python";
    source.model_dir = directory_.string();
    source.version_dir = (directory_ / "1").string();
    PT_ASSIGN_OR_RETURN(auto loader, backends_->Open(source));
    PT_ASSIGN_OR_RETURN(completed_, loader->CompleteConfig("{\"name\":\"echo\"}"));
    PT_ASSIGN_OR_RETURN(backend_, loader->Create(config_));
    PT_ASSIGN_OR_RETURN(instance_, backend_->CreateInstance(0));
    return instance_->Start();
  }

  RequestPtr Request(const std::vector<float>& values,
                     RefPtr<Responder> responder = MakeRef<FakeResponder>()) {
    auto request = std::make_unique<InferRequest>(model_->Acquire(), std::move(responder));
    InputTensor& input = request->inputs.emplace_back();
    input.tensor.type = DataType::kFp32;
    input.tensor.shape = Shape{static_cast<int64_t>(values.size())};
    input.tensor.data =
        Slice::Copy({reinterpret_cast<const char*>(values.data()), values.size() * 4});
    return request;
  }

  void Execute(RequestList requests) {
    batch_ = Batch();
    batch_.requests = std::move(requests);
    batch_.responses.resize(batch_.requests.size());
    ExecutionTimes times;
    instance_->Execute(&batch_, &times);
  }
  void ExecuteOne(const std::vector<float>& values) {
    RequestList list;
    list.push_back(Request(values));
    Execute(std::move(list));
  }
  std::vector<float> Output(size_t index) {
    const Slice& data = batch_.responses[index].outputs.at(0).tensor.data;
    const auto* values = reinterpret_cast<const float*>(data.data);
    return {values, values + data.size / 4};
  }

  // Changed by a test before SetUp.
  Duration load_limit_ = std::chrono::minutes(1);
  Duration cheap_request_{0};
  fs::path directory_;
  std::unique_ptr<BlockPool> pool_;
  testing::SchedulerLog log_;
  ModelConfig config_;
  std::unique_ptr<WorkerBackends> backends_;
  std::unique_ptr<Model> model_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<BackendInstance> instance_;
  std::string completed_;
  Batch batch_;
};

}  // namespace pt::backend
