#include "repo/warmup.h"

#include <gtest/gtest.h>

#include <cstring>
#include <thread>

#include "infer/fakes.h"
#include "repo/model_directory.h"

namespace pt::repo {
namespace {

using testing::ModelDirectory;

struct Seen {
  std::vector<std::string> batches;  // "A[2,3]=24" of each execution
  std::vector<std::string> data;
  Status answer;
  bool answers_later = false;
  int stops = 0;
  std::string told;
  std::vector<std::thread> later;
};

class SeeingInstance final : public BackendInstance {
 public:
  explicit SeeingInstance(Seen* seen) : seen_(seen) {}

  void Execute(Batch* batch, ExecutionTimes*) override {
    std::string text;
    for (const InputTensor& input : batch->requests[0]->inputs) {
      text += batch->requests[0]->model().config().inputs[input.index].name +
              input.tensor.shape.ToString() + "=" + std::to_string(input.tensor.data.size);
      seen_->data.emplace_back(input.tensor.data.view());
    }
    seen_->batches.push_back(text);
    batch->responses[0].status = seen_->answer;
    if (!seen_->answers_later) return;
    batch->requests[0]->AnswerLater();
    seen_->later.emplace_back([request = std::move(batch->requests[0])]() mutable {
      request->Respond({}, Finality::kMore);
      request->Respond({}, Finality::kFinal);
    });
  }
  void Follow(LoopHost*) override { seen_->told += "Follow "; }
  void Unfollow() override { seen_->told += "Unfollow "; }
  bool CanTake() const override { return false; }
  size_t Share(size_t waiting) const override { return waiting / 2; }
  bool Rest() override { return true; }
  void Stop() override { ++seen_->stops; }

 private:
  Seen* const seen_;
};

class SeeingBackend final : public Backend {
 public:
  explicit SeeingBackend(Seen* seen) : seen_(seen) {}
  Result<std::unique_ptr<BackendInstance>> CreateInstance(int) override {
    return std::unique_ptr<BackendInstance>(std::make_unique<SeeingInstance>(seen_));
  }
  bool RunsElsewhere() const override { return true; }

 private:
  Seen* const seen_;
};

class WarmUp : public ::testing::Test {
 protected:
  // Starts one instance of a model with these samples.
  Status Start(const std::string& samples, int max_batch_size = 4) {
    files_.WriteConfig("backend: 'x' max_batch_size: " + std::to_string(max_batch_size) +
                       " input { name: 'A' data_type: TYPE_FP32 dims: 3 }"
                       " output { name: 'B' data_type: TYPE_FP32 dims: 3 } " +
                       samples);
    const auto document = files_.Read();
    if (!document.ok()) return document.status();
    PT_ASSIGN_OR_RETURN(ModelConfig config, document->Finish(1));
    model_ = std::make_unique<Model>(std::move(config), 1);
    backend_ = WithWarmUp(std::make_unique<SeeingBackend>(&seen_), model_.get(), files_.dir());
    PT_ASSIGN_OR_RETURN(auto instance, backend_->CreateInstance(0));
    const Status status = instance->Start();
    for (std::thread& thread : seen_.later) thread.join();
    seen_.later.clear();
    return status;
  }

  std::string StartError(const std::string& samples) {
    const Status status = Start(samples);
    EXPECT_FALSE(status.ok());
    return status.ToString();
  }

  static std::string Sample(const std::string& input, const std::string& more = "batch_size: 1") {
    return "model_warmup { name: 's' " + more + " inputs { key: 'A' value { " + input + " } } }";
  }

  ModelDirectory files_;
  Seen seen_;
  std::unique_ptr<Model> model_;
  std::unique_ptr<Backend> backend_;
};

TEST_F(WarmUp, RunsEachSampleAsOftenAsItSays) {
  ASSERT_TRUE(
      Start(Sample("data_type: TYPE_FP32 dims: 3 zero_data: true", "batch_size: 2 count: 2")).ok());
  EXPECT_EQ(seen_.batches, (std::vector<std::string>{"A[2,3]=24", "A[2,3]=24"}));
  EXPECT_EQ(seen_.data[0], std::string(24, '\0'));
  const StatsSnapshot stats = model_->stats().Snapshot();
  EXPECT_EQ(stats.inference_count, 4u);
  EXPECT_EQ(stats.execution_count, 2u);
  EXPECT_EQ(model_->users(), 0);
}

TEST_F(WarmUp, RunsABatchOneByOneWithoutABatchDimension) {
  ASSERT_TRUE(
      Start(Sample("data_type: TYPE_FP32 dims: 3 random_data: true", "batch_size: 3"), 0).ok());
  EXPECT_EQ(seen_.batches, (std::vector<std::string>{"A[3]=12", "A[3]=12", "A[3]=12"}));
  float value = -1;
  std::memcpy(&value, seen_.data[0].data(), sizeof value);
  EXPECT_GE(value, 0);
  EXPECT_LE(value, 1);
}

TEST_F(WarmUp, ReadsAFileOfTheModel) {
  files_.Write("warmup/data", "0123456789abcdef");
  ASSERT_TRUE(Start(Sample("data_type: TYPE_FP32 dims: 3 input_data_file: 'data'")).ok());
  EXPECT_EQ(seen_.data, (std::vector<std::string>{"0123456789ab"}));
}

TEST_F(WarmUp, WaitsForAnswersThatComeLater) {
  seen_.answers_later = true;
  ASSERT_TRUE(Start(Sample("data_type: TYPE_FP32 dims: 3 zero_data: true")).ok());
  EXPECT_EQ(model_->users(), 0);
}

TEST_F(WarmUp, SkipsASampleOfNothing) {
  ASSERT_TRUE(Start(Sample("data_type: TYPE_FP32 dims: 3 zero_data: true", "batch_size: 0")).ok());
  EXPECT_TRUE(seen_.batches.empty());
}

TEST_F(WarmUp, LeavesTheRestToTheBackend) {
  ASSERT_TRUE(Start(Sample("data_type: TYPE_FP32 dims: 3 zero_data: true")).ok());
  EXPECT_TRUE(backend_->RunsElsewhere());
  auto instance = backend_->CreateInstance(1);
  ASSERT_TRUE(instance.ok());
  (*instance)->Follow(nullptr);
  (*instance)->Unfollow();
  EXPECT_EQ(seen_.told, "Follow Unfollow ");
  EXPECT_FALSE((*instance)->CanTake());
  EXPECT_EQ((*instance)->Share(8), 4u);
  EXPECT_TRUE((*instance)->Rest());
}

TEST_F(WarmUp, LeavesABackendWithoutSamplesAlone) {
  ASSERT_TRUE(Start("").ok());
  EXPECT_NE(dynamic_cast<SeeingBackend*>(backend_.get()), nullptr);
}

TEST_F(WarmUp, FailsTheStartWithTheModelsError) {
  seen_.answer = InvalidArgument("no");
  EXPECT_EQ(StartError(Sample("data_type: TYPE_FP32 dims: 3 zero_data: true")),
            "Invalid argument: failed to run warmup sample 's': no");
  EXPECT_EQ(seen_.stops, 1);
}

TEST_F(WarmUp, NamesTheFileAlsoWhereThereIsNoDirectory) {
  EXPECT_EQ(StartError(Sample("data_type: TYPE_FP32 dims: 3 input_data_file: 'gone'")),
            "Internal: failed to open text file for read " + files_.path_of("warmup/gone") +
                ": No such file or directory");
}

TEST_F(WarmUp, SaysWhatIsWrongWithASample) {
  files_.Write("warmup/short", "1234").Write("secret", "");
  const std::string failed = "failed to run warmup sample 's': ";
  const struct {
    std::string sample;
    std::string text;
  } rows[] = {
      {Sample("data_type: TYPE_FP32 dims: -1 zero_data: true"),
       "warmup setting expects all variable-size dimensions are specified for input 'A'"},
      {Sample("data_type: TYPE_FP32 dims: 3"),
       "warmup setting expects input 'A' to have input_data_type set"},
      {Sample("data_type: TYPE_FP32 dims: 3 input_data_file: 'short'"),
       "warmup setting expects 12 bytes, but the data provided from short only has 4 bytes"},
      {Sample("data_type: TYPE_FP32 dims: 3 input_data_file: 'gone'"),
       "failed to open text file for read " + files_.path_of("warmup/gone") +
           ": No such file or directory"},
      {Sample("data_type: TYPE_FP32 dims: 3 input_data_file: '../secret'"),
       "warmup data file path '../secret' for input 'A' is outside model directory"},
      {Sample("data_type: TYPE_INT8 dims: 3 zero_data: true"),
       "inference input 'A' data-type is 'INT8', but model 'm' expects 'FP32'"},
      {Sample("data_type: TYPE_FP32 dims: 3 zero_data: true", "batch_size: 5"),
       "inference request batch-size must be <= 4 for 'm'"},
      {Sample("data_type: TYPE_FP32 dims: [4294967296, 4294967296] zero_data: true"),
       "expected at most 2147483648 bytes for input 'A'"},
      {Sample("data_type: TYPE_FP32 dims: 3 zero_data: true", "batch_size: 1 count: 4000000000"),
       "expected at most 100000 runs, got 4000000000"},
      {"model_warmup { name: 's' batch_size: 1 }", "expected 1 inputs but got 0 inputs"},
  };
  for (const auto& row : rows) {
    const std::string error = StartError(row.sample);
    EXPECT_NE(error.find(row.text), std::string::npos) << error;
  }
}

}  // namespace
}  // namespace pt::repo
