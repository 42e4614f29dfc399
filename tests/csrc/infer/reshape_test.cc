#include "infer/reshape.h"

#include <gtest/gtest.h>

#include "infer/fakes.h"
#include "infer/validate.h"

namespace pt {
namespace {

using testing::FakeResponder;
using testing::NamedConfig;
using testing::Spec;

TEST(Reshape, KeepsTheBatchAndCarriesVariableDimensions) {
  EXPECT_EQ(Reshape({4}, {4}, {2, 2}, 0), (Shape{2, 2}));
  EXPECT_EQ(Reshape({3, 4}, {4}, {2, 2}, 1), (Shape{3, 2, 2}));
  EXPECT_EQ(Reshape({8, 1}, {1}, {}, 1), (Shape{8}));
  EXPECT_EQ(Reshape({8}, {}, {1}, 1), (Shape{8, 1}));
  EXPECT_EQ(Reshape({2, 5, 3, 7}, {2, -1, 3, -1}, {1, 2, -1, 3, -1, 1}, 0),
            (Shape{1, 2, 5, 3, 7, 1}));
}

TEST(Reshape, LeavesAloneWhatDoesNotFit) {
  EXPECT_EQ(Reshape({4, 4}, {4}, {2, 2}, 0), (Shape{4, 4}));
  EXPECT_EQ(Reshape({5}, {4}, {2, 2}, 0), (Shape{5}));
}

TEST(Reshape, ClientAndBackendSeeTheirOwnShapes) {
  ModelConfig config = NamedConfig("m");
  config.max_batch_size = 8;
  config.inputs = {Spec("A", DataType::kUint8, {1})};
  config.inputs[0].reshape = Shape();
  config.outputs = {Spec("B", DataType::kUint8, {-1, 1})};
  config.outputs[0].reshape = Shape{-1};
  Model model(std::move(config), 1);
  const auto responder = MakeRef<FakeResponder>();
  InferRequest request(model.Acquire(), responder);
  NamedInputs inputs(1);
  inputs[0].name = "A";
  inputs[0].type = DataType::kUint8;
  inputs[0].shape = {2, 1};
  inputs[0].data = Slice::Static("ab");
  ASSERT_TRUE(FillInputs(std::move(inputs), &request).ok());
  EXPECT_EQ(request.inputs[0].tensor.shape, (Shape{2}));
  EXPECT_EQ(request.batch_size, 2);

  InferResponse response;
  response.outputs.push_back({0, {DataType::kUint8, {2, 3}, Slice::Static("abcdef")}});
  request.Respond(std::move(response), Finality::kFinal);
  EXPECT_EQ(responder->sent[0].response.outputs[0].tensor.shape, (Shape{2, 3, 1}));
}

}  // namespace
}  // namespace pt
