#include "wire/infer_proto_writer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "wire/proto/infer.pb.h"

namespace pt::wire {
namespace {

ParameterView Parameter(std::string_view key, ParameterKind kind, uint64_t bits,
                        std::string_view text = {}) {
  ParameterView view;
  view.key = key;
  view.kind = kind;
  view.bits = bits;
  view.text = text;
  return view;
}

class WriterTest : public testing::Test {
 protected:
  // One response with outputs of these sizes.
  InferResponseData Make(const std::vector<size_t>& sizes) {
    for (const size_t size : sizes) bytes_.push_back(Slice::Copy(std::string(size, 'r')));
    for (size_t i = 0; i < sizes.size(); ++i) {
      outputs_.push_back({"OUTPUT", "INT64", shape_, &bytes_[i]});
    }
    InferResponseData data;
    data.model_name = "model";
    data.model_version = "3";
    data.id = "id-7";
    data.outputs = outputs_;
    return data;
  }

  SliceList Encode(const InferResponseData& data) {
    return EncodeInferResponse(data, Measure(data), &pool_);
  }

  std::vector<int64_t> shape_{4, 0, -1, 300};
  std::vector<Slice> bytes_;
  std::vector<OutputTensorData> outputs_;
  BlockPool pool_;
};

TEST_F(WriterTest, WritesWhatLibprotobufReads) {
  const InferResponseData data = Make({3, 0, kShareBytes - 1, kShareBytes, 100000, 5});
  const std::string message = Flatten(Encode(data));
  EXPECT_EQ(message.size(), Measure(data).total());
  inference::ModelInferResponse read;
  ASSERT_TRUE(read.ParseFromString(message));
  EXPECT_EQ(read.model_name(), "model");
  EXPECT_EQ(read.model_version(), "3");
  EXPECT_EQ(read.id(), "id-7");
  ASSERT_EQ(read.outputs_size(), 6);
  EXPECT_EQ(read.outputs(0).name(), "OUTPUT");
  EXPECT_EQ(read.outputs(0).datatype(), "INT64");
  EXPECT_EQ(std::vector<int64_t>(read.outputs(5).shape().begin(), read.outputs(5).shape().end()),
            shape_);
  ASSERT_EQ(read.raw_output_contents_size(), 6);
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(read.raw_output_contents(i), bytes_[static_cast<size_t>(i)].view());
  }
  // Byte for byte what libprotobuf writes: nothing is sent twice or in another order.
  EXPECT_EQ(read.SerializeAsString(), message);
}

TEST_F(WriterTest, SharesLargeTensorsOnly) {
  const SliceList slices = Encode(Make({100, kShareBytes, 200}));
  ASSERT_EQ(slices.size(), 3u);
  EXPECT_EQ(slices[1].data, bytes_[1].data);
  EXPECT_EQ(Encode(Make({})).size(), 3u);
}

TEST_F(WriterTest, PutsASmallResponseInOneSlice) { EXPECT_EQ(Encode(Make({64, 64})).size(), 1u); }

TEST_F(WriterTest, WritesParametersOfEveryKind) {
  const std::vector<ParameterView> parameters = {
      Parameter("flag", ParameterKind::kBool, 1),
      Parameter("off", ParameterKind::kBool, 0),
      Parameter("minus", ParameterKind::kInt64, static_cast<uint64_t>(-2)),
      Parameter("text", ParameterKind::kString, 0, "hello"),
      Parameter("empty", ParameterKind::kString, 0, ""),
      Parameter("real", ParameterKind::kDouble, std::bit_cast<uint64_t>(0.5)),
      Parameter("most", ParameterKind::kUint64, ~uint64_t{0}),
      Parameter("unset", ParameterKind::kUnset, 0)};
  InferResponseData data = Make({1});
  data.parameters = parameters;
  inference::ModelInferResponse read;
  ASSERT_TRUE(read.ParseFromString(Flatten(Encode(data))));
  EXPECT_EQ(read.parameters_size(), 8);
  EXPECT_TRUE(read.parameters().at("flag").bool_param());
  EXPECT_TRUE(read.parameters().at("off").has_bool_param());
  EXPECT_EQ(read.parameters().at("minus").int64_param(), -2);
  EXPECT_EQ(read.parameters().at("text").string_param(), "hello");
  EXPECT_TRUE(read.parameters().at("empty").has_string_param());
  EXPECT_EQ(read.parameters().at("real").double_param(), 0.5);
  EXPECT_EQ(read.parameters().at("most").uint64_param(), ~uint64_t{0});
  EXPECT_EQ(read.parameters().at("unset").parameter_choice_case(), 0);
}

TEST_F(WriterTest, WrapsStreamResponses) {
  const InferResponseData data = Make({10, kShareBytes});
  const std::string plain = Flatten(Encode(data));
  inference::ModelStreamInferResponse read;
  ASSERT_TRUE(read.ParseFromString(
      Flatten(EncodeStreamResponse(data, Measure(data), "what failed", &pool_))));
  EXPECT_EQ(read.error_message(), "what failed");
  EXPECT_EQ(read.infer_response().SerializeAsString(), plain);
  ASSERT_TRUE(read.ParseFromString(Flatten(EncodeStreamResponse({}, Measure({}), {}, &pool_))));
  EXPECT_TRUE(read.has_infer_response());
  EXPECT_TRUE(read.error_message().empty());
}

}  // namespace
}  // namespace pt::wire
