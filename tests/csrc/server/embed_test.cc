// The C++ host's side of the server: what it says about its model, and its view of a request.
#include <gtest/gtest.h>

#include <cstring>
#include <stdexcept>

#include "server/embed_backend.h"
#include "server/embed_config.h"

namespace pt::server {
namespace {

pytriton::ModelConfig Doubler() {
  pytriton::ModelConfig config;
  config.name = "doubler";
  config.max_batch_size = 8;
  config.inputs = {{"IN", "FP32", {2}}};
  config.outputs = {{"OUT", "FP32", {2}}, {"NAME", "BYTES", {1}}};
  return config;
}

TEST(EmbedConfigTest, BecomesACoreConfig) {
  pytriton::ModelConfig config = Doubler();
  config.max_queue_size = 5;
  config.instances = 3;
  const Result<ModelConfig> core = ToCoreConfig(config);
  ASSERT_TRUE(core.ok()) << core.status().ToString();
  EXPECT_EQ(core->name, "doubler");
  EXPECT_EQ(core->scheduler, SchedulerKind::kDynamic);
  EXPECT_EQ(core->inputs[0].type, DataType::kFp32);
  EXPECT_EQ(core->outputs[1].type, DataType::kBytes);
  EXPECT_EQ(core->dynamic_batching.default_queue_policy.max_queue_size, 5u);
  EXPECT_EQ(core->instance_count(), 3);
}

TEST(EmbedConfigTest, RefusesWhatMakesNoSense) {
  struct Case {
    void (*spoil)(pytriton::ModelConfig*);
    const char* says;
  };
  const Case cases[] = {
      {[](auto* c) { c->name = ""; }, "model name"},
      {[](auto* c) { c->name = "a/b"; }, "'a/b'"},
      {[](auto* c) { c->version = 0; }, "version >= 1"},
      {[](auto* c) { c->max_batch_size = -1; }, "max_batch_size >= 0"},
      {[](auto* c) { c->instances = 0; }, "instances between"},
      {[](auto* c) { c->preferred_batch_sizes = {9}; }, "preferred batch sizes"},
      {[](auto* c) { c->inputs[0].datatype = "float"; }, "input 'IN', got 'float'"},
      {[](auto* c) { c->inputs[0].shape = {0}; }, "got 0"},
      {[](auto* c) { c->outputs[1].name = "OUT"; }, "two outputs named 'OUT'"},
      {[](auto* c) { c->inputs[0].name = ""; }, "each input"},
      {[](auto* c) { c->inputs[0].shape.assign(64, 1); }, "fewer than 64"},
  };
  for (const Case& spoiled : cases) {
    pytriton::ModelConfig config = Doubler();
    spoiled.spoil(&config);
    const Result<ModelConfig> core = ToCoreConfig(config);
    ASSERT_FALSE(core.ok()) << spoiled.says;
    EXPECT_EQ(core.status().code(), Code::kInvalidArgument);
    EXPECT_NE(core.status().message().find(spoiled.says), std::string::npos)
        << core.status().message();
  }
}

class SilentResponder final : public Responder {
 public:
  void Send(InferResponse&&, Finality) override {}
};

class EmbedBackendTest : public testing::Test {
 protected:
  EmbedBackendTest() : model_(ToCoreConfig(Doubler()).value(), 1) {}

  // Runs one batch of two requests, with 1 and 2 rows, through the callable.
  std::vector<InferResponse> Run(pytriton::Callable callable) {
    EmbedBackend backend(std::move(callable));
    std::unique_ptr<BackendInstance> instance = backend.CreateInstance(0).value();
    Batch batch;
    for (int64_t rows = 1; rows <= 2; ++rows) {
      auto request = std::make_unique<InferRequest>(model_.Acquire(), MakeRef<SilentResponder>());
      const auto bytes = std::string_view(reinterpret_cast<const char*>(values_), 8 * rows);
      request->inputs.push_back({0, {DataType::kFp32, Shape{rows, 2}, Slice::Static(bytes)}});
      request->batch_size = rows;
      batch.requests.push_back(std::move(request));
    }
    batch.responses.resize(2);
    ExecutionTimes times;
    instance->Execute(&batch, &times);
    return std::move(batch.responses);
  }

  static void AddName(pytriton::Request* request, int64_t rows) {
    void* data = request->AddOutput("NAME", {rows, 1}, 5 * rows);
    for (int64_t i = 0; i < rows; ++i)
      std::memcpy(static_cast<char*>(data) + 5 * i, "\1\0\0\0x", 5);
  }

  static constexpr float values_[4] = {1, 2, 3, 4};
  Model model_;
};

TEST_F(EmbedBackendTest, AnswersEachRequestWithItsOutputs) {
  const auto responses = Run([](pytriton::Batch& batch) {
    ASSERT_EQ(batch.size(), 2u);
    for (pytriton::Request* request : batch) {
      const pytriton::TensorView& in = request->inputs()[0];
      EXPECT_EQ(in.name, "IN");
      EXPECT_EQ(in.datatype, "FP32");
      auto* out = static_cast<float*>(request->AddOutput("OUT", in.shape, in.byte_size));
      ASSERT_NE(out, nullptr);
      for (size_t i = 0; i < in.byte_size / 4; ++i)
        out[i] = 2 * static_cast<const float*>(in.data)[i];
      AddName(request, in.shape[0]);
    }
  });
  ASSERT_TRUE(responses[1].status.ok()) << responses[1].status.ToString();
  ASSERT_EQ(responses[1].outputs.size(), 2u);
  const TensorView& out = responses[1].outputs[0].tensor;
  EXPECT_EQ(out.shape, (Shape{2, 2}));
  EXPECT_EQ(reinterpret_cast<const float*>(out.data.data)[3], 8);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(out.data.data) % 64, 0u);
}

TEST_F(EmbedBackendTest, AFailureStaysWithItsRequest) {
  const auto responses = Run([](pytriton::Batch& batch) {
    batch[0]->Fail("no such digit");
    batch[1]->AddOutput("OUT", {2, 2}, 16);
    AddName(batch[1], 2);
  });
  EXPECT_EQ(responses[0].status.message(), "no such digit");
  EXPECT_TRUE(responses[0].outputs.empty());
  EXPECT_TRUE(responses[1].status.ok());
}

TEST_F(EmbedBackendTest, AWrongOutputNamesWhatWasExpected) {
  struct Case {
    void (*add)(pytriton::Request*);
    const char* says;
  };
  const Case cases[] = {
      {[](auto* r) { EXPECT_EQ(r->AddOutput("FOO", {1, 2}, 8), nullptr); }, "output 'FOO'"},
      {[](auto* r) { EXPECT_EQ(r->AddOutput("OUT", {1, 3}, 12), nullptr); },
       "expected shape [1,2]"},
      {[](auto* r) { EXPECT_EQ(r->AddOutput("OUT", {2, 2}, 16), nullptr); }, "got [2,2]"},
      {[](auto* r) { EXPECT_EQ(r->AddOutput("OUT", {1, 2}, 7), nullptr); }, "got 7 bytes"},
      {[](auto* r) { r->AddOutput("OUT", {1, 2}, 8), r->AddOutput("OUT", {1, 2}, 8); }, "twice"},
      {[](auto* r) { AddName(r, 1); }, "no such output"},
      {[](auto* r) {
         r->AddOutput("OUT", {1, 2}, 8);
         std::memset(r->AddOutput("NAME", {1, 1}, 4), 0xff, 4);
       },
       "length-prefixed"},
  };
  for (const Case& wrong : cases) {
    const auto responses = Run([&](pytriton::Batch& batch) { wrong.add(batch[0]); });
    ASSERT_FALSE(responses[0].status.ok()) << wrong.says;
    EXPECT_NE(responses[0].status.message().find(wrong.says), std::string::npos)
        << responses[0].status.message();
  }
}

TEST_F(EmbedBackendTest, AnExceptionFailsTheBatchOnly) {
  const auto responses = Run([](pytriton::Batch&) { throw std::runtime_error("boom"); });
  EXPECT_EQ(responses[0].status.message(), "the callable threw an exception: boom");
  EXPECT_FALSE(responses[1].status.ok());
}

}  // namespace
}  // namespace pt::server
