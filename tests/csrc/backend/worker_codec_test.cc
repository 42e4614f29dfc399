#include "backend/worker_codec.h"

#include <gtest/gtest.h>

namespace pt::backend {
namespace {

std::string Tensor(DataType type, Shape shape, uint64_t size, std::string_view bytes) {
  TensorRecord record;
  record.type = type;
  record.shape = std::move(shape);
  record.size = size;
  record.bytes = bytes;
  MessageWriter out;
  PutTensor(record, &out);
  return out.bytes();
}

bool IsTaken(const std::string& message) {
  MessageReader in(message);
  return GetTensor(&in).has_value();
}

TEST(WorkerCodecTest, TakesATensorWhoseSizeFits) {
  const std::string message = Tensor(DataType::kFp32, Shape{1, 2}, 8, "12345678");
  MessageReader in(message);
  const auto tensor = GetTensor(&in);
  ASSERT_TRUE(tensor.has_value());
  EXPECT_EQ(tensor->bytes, "12345678");
  EXPECT_EQ(tensor->shape, (Shape{1, 2}));
  EXPECT_EQ(in.Rest(), "");
}

TEST(WorkerCodecTest, RefusesTensorsThatLie) {
  EXPECT_FALSE(IsTaken(Tensor(DataType::kFp32, Shape{1, 3}, 8, "12345678")));
  EXPECT_FALSE(IsTaken(Tensor(DataType::kFp32, Shape{1, 2}, 80, "12345678")));
  EXPECT_FALSE(IsTaken(Tensor(DataType::kFp32, Shape{-1, 2}, 8, "12345678")));
  EXPECT_FALSE(IsTaken(Tensor(DataType::kFp64, Shape{int64_t{1} << 62, 4}, 0, "")));
  EXPECT_FALSE(IsTaken(Tensor(DataType::kInvalid, Shape{2}, 8, "12345678")));
  EXPECT_FALSE(IsTaken(Tensor(static_cast<DataType>(99), Shape{2}, 8, "12345678")));
}

TEST(WorkerCodecTest, RefusesEveryCutMessage) {
  const std::string message = Tensor(DataType::kFp32, Shape{1, 2}, 8, "12345678");
  for (size_t size = 0; size < message.size(); ++size)
    EXPECT_FALSE(IsTaken(message.substr(0, size)));
}

TEST(WorkerCodecTest, ParametersComeBackAsTheyWere) {
  const Parameters parameters = {
      {"b", true}, {"i", int64_t{-5}}, {"d", 2.5}, {"s", std::string("text")}};
  MessageWriter out;
  out.PutParameters(parameters);
  MessageReader in(out.bytes());
  EXPECT_EQ(in.GetParameters(parameters.size()), parameters);
  EXPECT_TRUE(in.ok());
  EXPECT_EQ(in.Rest(), "");
}

TEST(WorkerCodecTest, MoreParametersThanThereAreIsAFailure) {
  MessageReader in("xx");
  in.GetParameters(SIZE_MAX);
  EXPECT_FALSE(in.ok());
}

}  // namespace
}  // namespace pt::backend
