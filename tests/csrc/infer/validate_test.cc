#include "infer/validate.h"

#include <gtest/gtest.h>

#include <limits>
#include <utility>

#include "infer/fakes.h"
#include "tensor/bytes_tensor.h"

namespace pt {
namespace {

using testing::FakeResponder;
using testing::Spec;

constexpr char kNote[] =
    "NOTE: Setting a non-zero max_batch_size in the model config requires a batch dimension to be "
    "prepended to each input shape. If you want to specify the full shape including the batch dim "
    "in "
    "your input dims config, try setting max_batch_size to zero. See the model configuration docs "
    "for more info on max_batch_size.";
constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();

class ValidateTest : public ::testing::Test {
 protected:
  ValidateTest() {
    config_.name = "m";
    config_.inputs = {Spec("A", DataType::kFp32, Shape{4}), Spec("B", DataType::kFp32, Shape{4})};
  }

  Status Fill(NamedInputs inputs) {
    request_.reset();  // it pins the model
    model_ = std::make_unique<Model>(config_, 1);
    request_ = std::make_unique<InferRequest>(model_->Acquire(), MakeRef<FakeResponder>());
    request_->id = id_;
    return FillInputs(std::move(inputs), request_.get());
  }

  // A float input with as many bytes as its shape needs, or `size` bytes.
  static NamedInput Floats(std::string_view name, Shape shape, int64_t size = -1) {
    NamedInput input;
    input.name = name;
    input.type = DataType::kFp32;
    const int64_t bytes = size >= 0 ? size : shape.ElementCount().value_or(0) * 4;
    input.shape = std::move(shape);
    input.data = Slice::Copy(std::string(static_cast<size_t>(bytes), 'x'));
    return input;
  }

  static NamedInput Texts(std::string_view name, Shape shape, std::string bytes) {
    NamedInput input;
    input.name = name;
    input.type = DataType::kBytes;
    input.shape = std::move(shape);
    input.data = Slice::OfString(std::move(bytes));
    return input;
  }

  void ExpectMessage(const Status& status, const std::string& message) {
    EXPECT_EQ(status.code(), Code::kInvalidArgument);
    EXPECT_EQ(status.message(), message);
  }

  std::string id_ = "r1";
  ModelConfig config_;
  std::unique_ptr<Model> model_;  // outlives the request, which pins it
  RequestPtr request_;
};

TEST_F(ValidateTest, FillsARequestInTheModelsOrder) {
  config_.max_batch_size = 8;
  ASSERT_TRUE(Fill({Floats("A", {2, 4}), Floats("B", {2, 4})}).ok());
  EXPECT_EQ(request_->batch_size, 2);
  EXPECT_EQ(request_->input_bytes, 64);
  EXPECT_EQ(request_->inputs[1].index, 1);
}

TEST_F(ValidateTest, SortsInputsOfAnyOrder) {
  ASSERT_TRUE(Fill({Floats("B", {4}), Floats("A", {4})}).ok());
  EXPECT_EQ(request_->inputs[0].index, 0);
  EXPECT_EQ(request_->inputs[1].index, 1);
  EXPECT_EQ(request_->batch_size, 1);
}

TEST_F(ValidateTest, UnknownInput) {
  ExpectMessage(Fill({Floats("A", {4}), Floats("C", {4})}),
                "unexpected inference input 'C' for model 'm'");
}

TEST_F(ValidateTest, RepeatedInput) {
  ExpectMessage(Fill({Floats("A", {4}), Floats("A", {4})}),
                "[request id: r1] input 'A' already exists in request");
}

TEST_F(ValidateTest, MissingInput) {
  id_ = "";
  ExpectMessage(Fill({Floats("A", {4})}),
                "[request id: <id_unknown>] expected 2 inputs but got 1 inputs for model 'm'. Got "
                "input(s) ['A'], but missing required input(s) ['B']. Please provide all required "
                "input(s).");
}

TEST_F(ValidateTest, NoInputs) {
  ExpectMessage(Fill({}),
                "[request id: r1] expected 2 inputs but got 0 inputs for model 'm'. Got input(s) "
                "[], but missing required input(s) ['A','B']. Please provide all required "
                "input(s).");
}

TEST_F(ValidateTest, TooManyInputs) {
  ExpectMessage(Fill({Floats("A", {4}), Floats("B", {4}), Floats("C", {4})}),
                "[request id: r1] expected 2 inputs but got 3 inputs for model 'm'. Got input(s) "
                "['A','B','C'], but missing required input(s) []. Please provide all required "
                "input(s).");
}

TEST_F(ValidateTest, AnUnknownInputAmongTooFewIsACountError) {
  const Status status = Fill({Floats("C", {4})});
  EXPECT_NE(status.message().find("expected 2 inputs but got 1 inputs"), std::string::npos);
}

TEST_F(ValidateTest, OptionalInputsMayBeLeftOut) {
  config_.inputs[0].is_optional = true;
  config_.inputs.push_back(Spec("C", DataType::kFp32, Shape{4}, true));
  ASSERT_TRUE(Fill({Floats("B", {4})}).ok());
  EXPECT_EQ(request_->inputs[0].index, 1);
  ASSERT_TRUE(Fill({Floats("C", {4}), Floats("B", {4})}).ok());
  EXPECT_EQ(request_->inputs[1].index, 2);
}

TEST_F(ValidateTest, ARequiredInputIsMissedAlsoWhenTheCountFits) {
  config_.inputs[0].is_optional = true;
  ExpectMessage(
      Fill({Floats("A", {4})}),
      "[request id: r1] expected number of inputs between 1 and 2 but got 1 inputs for "
      "model 'm'. Got input(s) ['A'], but missing required input(s) ['B']. Please provide "
      "all required input(s).");
}

TEST_F(ValidateTest, WrongType) {
  NamedInput input = Floats("A", {4});
  input.type = DataType::kInt32;
  ExpectMessage(Fill({input, Floats("B", {4})}),
                "[request id: r1] inference input 'A' data-type is 'INT32', but model 'm' expects "
                "'FP32'");
  input.type = DataType::kInvalid;
  ExpectMessage(Fill({input, Floats("B", {4})}),
                "[request id: r1] inference input 'A' data-type is '<invalid>', but model 'm' "
                "expects 'FP32'");
}

TEST_F(ValidateTest, WrongShapeEndsWithABlank) {
  ExpectMessage(Fill({Floats("A", {1, 4}), Floats("B", {4})}),
                "[request id: r1] unexpected shape for input 'A' for model 'm'. Expected [4], got "
                "[1,4]. ");
}

TEST_F(ValidateTest, WrongShapeOfABatchingModelExplainsTheBatchDimension) {
  config_.max_batch_size = 4;
  ExpectMessage(Fill({Floats("A", {4}), Floats("B", {1, 4})}),
                "[request id: r1] unexpected shape for input 'A' for model 'm'. Expected [-1,4], "
                "got [4]. " +
                    std::string(kNote));
}

TEST_F(ValidateTest, AnyLengthFitsAVariableDimension) {
  config_.inputs = {Spec("A", DataType::kFp32, Shape{-1, 2})};
  EXPECT_TRUE(Fill({Floats("A", {7, 2})}).ok());
  EXPECT_TRUE(Fill({Floats("A", {0, 2})}).ok());
  EXPECT_FALSE(Fill({Floats("A", {7, 3})}).ok());
}

TEST_F(ValidateTest, BatchTooLarge) {
  config_.max_batch_size = 4;
  ExpectMessage(Fill({Floats("A", {5, 4}), Floats("B", {5, 4})}),
                "[request id: r1] inference request batch-size must be <= 4 for 'm'");
}

TEST_F(ValidateTest, BatchesThatDiffer) {
  config_.max_batch_size = 4;
  ExpectMessage(Fill({Floats("A", {2, 4}), Floats("B", {3, 4})}),
                "[request id: r1] input 'B' batch size does not match other inputs for 'm'");
}

TEST_F(ValidateTest, AnEmptyBatchIsAWrongByteSize) {
  config_.max_batch_size = 4;
  ExpectMessage(Fill({Floats("A", {0, 4}), Floats("B", {0, 4})}),
                "[request id: r1] input byte size mismatch for input 'A' for model 'm'. Expected "
                "16, got 0");
  ExpectMessage(Fill({Floats("A", {0, 4}, 16), Floats("B", {0, 4}, 16)}),
                "[request id: r1] input byte size mismatch for input 'A' for model 'm'. Expected "
                "0, got 16");
}

TEST_F(ValidateTest, AnEmptyBatchOfEmptyElementsIsRefusedToo) {
  config_.max_batch_size = 4;
  config_.inputs = {Spec("A", DataType::kFp32, Shape{-1})};
  ExpectMessage(Fill({Floats("A", {0, 0})}),
                "[request id: r1] inference request batch-size must be >= 1 for 'm'");
}

TEST_F(ValidateTest, WrongByteSize) {
  ExpectMessage(Fill({Floats("A", {4}, 12), Floats("B", {4})}),
                "[request id: r1] input byte size mismatch for input 'A' for model 'm'. Expected "
                "16, got 12");
}

TEST_F(ValidateTest, NegativeDimensions) {
  config_.inputs = {Spec("A", DataType::kFp32, Shape{-1})};
  ExpectMessage(Fill({Floats("A", {-1})}),
                "[request id: r1] All input dimensions should be specified for input 'A' for model "
                "'m', got [-1]");
  config_.max_batch_size = 4;
  ExpectMessage(Fill({Floats("A", {-2, 4})}),
                "[request id: r1] All input dimensions should be specified for input 'A' for model "
                "'m', got [-2,4]");
}

TEST_F(ValidateTest, OverflowingShapes) {
  config_.inputs = {Spec("A", DataType::kFp32, Shape{-1, -1})};
  ExpectMessage(Fill({Floats("A", {kHuge, 2}, 0)}),
                "invalid shape for input 'A': shape [9223372036854775807,2] causes total element "
                "count to exceed maximum size of 9223372036854775807");
  ExpectMessage(Fill({Floats("A", {kHuge, 1}, 0)}),
                "byte size overflow for input 'A': shape [9223372036854775807,1] of FP32 exceeds "
                "the maximum size of 9223372036854775807 bytes");
}

TEST_F(ValidateTest, StringElements) {
  config_.inputs = {Spec("S", DataType::kBytes, Shape{2})};
  std::string two;
  AppendBytesElement("ab", &two);
  AppendBytesElement("", &two);
  EXPECT_TRUE(Fill({Texts("S", {2}, two)}).ok());
  ExpectMessage(Fill({Texts("S", {2}, two.substr(0, 6))}),
                "[request id: r1] expected 2 string elements for inference input 'S' for model "
                "'m', got 1");
  std::string three = two;
  AppendBytesElement("c", &three);
  ExpectMessage(Fill({Texts("S", {2}, three)}),
                "[request id: r1] unexpected number of string elements 3 for inference input 'S' "
                "for model 'm', expecting 2");
  ExpectMessage(Fill({Texts("S", {2}, two.substr(0, 5))}),
                "incomplete string data for inference input 'S', expecting string of length 2 but "
                "only 1 bytes available");
  ExpectMessage(Fill({Texts("S", {2}, two.substr(0, 8))}),
                "incomplete string length indicator for inference input 'S', expecting 4 bytes but "
                "only 2 bytes available");
}

TEST_F(ValidateTest, TensorsAreMovedNotCopied) {
  NamedInput input = Floats("A", {4});
  const char* const bytes = input.data.data;
  NamedInputs inputs;
  inputs.push_back(std::move(input));
  config_.inputs.pop_back();
  ASSERT_TRUE(Fill(std::move(inputs)).ok());
  EXPECT_EQ(request_->inputs[0].tensor.data.data, bytes);
}

}  // namespace
}  // namespace pt
