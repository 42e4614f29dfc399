#include "backend/identity.h"

#include <gtest/gtest.h>

#include "infer/fakes.h"

namespace pt::backend {
namespace {

using testing::FakeResponder;
using testing::Spec;

class IdentityTest : public ::testing::Test {
 protected:
  IdentityTest() {
    ModelConfig config = testing::NamedConfig("echo");
    for (const char* name : {"A", "B"}) {
      config.inputs.push_back(Spec(name, DataType::kBytes, Shape{-1}));
      config.outputs.push_back(Spec(name, DataType::kBytes, Shape{-1}));
    }
    model_ = std::make_unique<Model>(config, 1);
  }

  RequestPtr Request(std::vector<std::string_view> inputs) {
    auto request = std::make_unique<InferRequest>(model_->Acquire(), MakeRef<FakeResponder>());
    for (const std::string_view bytes : inputs) {
      InputTensor& input = request->inputs.emplace_back();
      input.index = static_cast<int>(request->inputs.size()) - 1;
      input.tensor.type = DataType::kBytes;
      input.tensor.shape = Shape{1};
      input.tensor.data = Slice::Copy(bytes);
    }
    return request;
  }

  std::unique_ptr<Model> model_;
  std::unique_ptr<BackendInstance> instance_ = IdentityBackend().CreateInstance(0).value();
  Batch batch_;
  ExecutionTimes times_;
};

TEST_F(IdentityTest, GivesEachRequestItsOwnInputsWithoutCopy) {
  batch_.requests.push_back(Request({"a", "b"}));
  batch_.requests.push_back(Request({"c"}));
  instance_->Execute(&batch_, &times_);
  ASSERT_EQ(batch_.responses.size(), 2u);
  const InferResponse& first = batch_.responses[0];
  ASSERT_EQ(first.outputs.size(), 2u);
  EXPECT_EQ(first.outputs[1].index, 1);
  EXPECT_EQ(first.outputs[1].tensor.data.data, batch_.requests[0]->inputs[1].tensor.data.data);
  EXPECT_EQ(first.outputs[1].tensor.shape, (Shape{1}));
  ASSERT_EQ(batch_.responses[1].outputs.size(), 1u);
  EXPECT_EQ(batch_.responses[1].outputs[0].tensor.data.view(), "c");
  EXPECT_GE(times_.infer_end, times_.input_end);
}

TEST_F(IdentityTest, LeavesOutWhatNobodyAskedFor) {
  batch_.requests.push_back(Request({"a", "b"}));
  batch_.requests[0]->requested_outputs = {1};
  instance_->Execute(&batch_, &times_);
  ASSERT_EQ(batch_.responses[0].outputs.size(), 1u);
  EXPECT_EQ(batch_.responses[0].outputs[0].index, 1);
}

TEST_F(IdentityTest, OutputsOutliveTheRequest) {
  batch_.requests.push_back(Request({"kept"}));
  instance_->Execute(&batch_, &times_);
  batch_.requests.clear();
  EXPECT_EQ(batch_.responses[0].outputs[0].tensor.data.view(), "kept");
}

}  // namespace
}  // namespace pt::backend
