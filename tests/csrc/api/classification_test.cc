#include "api/classification.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "tensor/bytes_tensor.h"

namespace pt::api {
namespace {

template <typename T>
TensorView Tensor(DataType type, Shape shape, const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return {type, std::move(shape), Slice::OfString(std::move(bytes))};
}

class ClassificationTest : public ::testing::Test {
 protected:
  // "[2,1] 3:0:cat 4:1:dog"
  std::string Classes(const TensorView& tensor, uint32_t count, Batched batched = Batched::kNo) {
    const auto classes = Classify(tensor, spec_, count, batched, &pool_);
    if (!classes.ok()) return classes.status().ToString();
    EXPECT_EQ(classes->type, DataType::kBytes);
    std::string text = classes->shape.ToString();
    std::string_view rest = classes->data.view();
    while (rest.size() >= 4) {
      uint32_t size = 0;
      std::memcpy(&size, rest.data(), sizeof size);
      text += " " + std::string(rest.substr(4, size));
      rest.remove_prefix(4 + size);
    }
    EXPECT_TRUE(rest.empty());
    return text;
  }

  BlockPool pool_;
  TensorSpec spec_;
};

TEST_F(ClassificationTest, TellsTheBestWithTheirLabels) {
  spec_.labels = {"cat", "dog"};
  const TensorView tensor = Tensor<float>(DataType::kFp32, {3}, {0.123456789f, 44, 1e20f});
  EXPECT_EQ(Classes(tensor, 2), "[2] 100000002004087734272.000000:2 44.000000:1:dog");
  EXPECT_EQ(Classes(tensor, 9),
            "[3] 100000002004087734272.000000:2 44.000000:1:dog 0.123457:0:cat");
}

TEST_F(ClassificationTest, ClassifiesEachItemOfABatch) {
  const TensorView tensor = Tensor<int8_t>(DataType::kInt8, {2, 2, 2}, {1, -2, 3, 4, 8, 7, 6, 5});
  EXPECT_EQ(Classes(tensor, 1, Batched::kYes), "[2,1] 4:3 8:0");
  EXPECT_EQ(Classes(tensor, 100, Batched::kYes), "[2,4] 4:3 3:2 1:0 -2:1 8:0 7:1 6:2 5:3");
  EXPECT_EQ(Classes(tensor, 1), "[1] 8:4");
}

TEST_F(ClassificationTest, EqualValuesKeepTheirOrderAndNanIsLast) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(Classes(Tensor<double>(DataType::kFp64, {4}, {nan, 1, 2, 1}), 3),
            "[3] 2.000000:2 1.000000:1 1.000000:3");
}

TEST_F(ClassificationTest, TakesEmptyTensors) {
  EXPECT_EQ(Classes(Tensor<float>(DataType::kFp32, {0}, {}), 3), "[0]");
  EXPECT_EQ(Classes(Tensor<float>(DataType::kFp32, {0, 5}, {}), 3, Batched::kYes), "[0,0]");
  EXPECT_EQ(Classes(Tensor<float>(DataType::kFp32, {2, 0}, {}), 3, Batched::kYes), "[2,0]");
}

TEST_F(ClassificationTest, RefusesTypesWithoutOrderAndTooManyResults) {
  for (const DataType type :
       {DataType::kBool, DataType::kFp16, DataType::kBf16, DataType::kBytes}) {
    EXPECT_EQ(Classes(Tensor<char>(type, {1}, {'\0'}), 1),
              "Invalid argument: class result not available for output due to unsupported type '" +
                  std::string(DataTypeName(type)) + "'");
  }
  EXPECT_EQ(Classes(Tensor<char>(DataType::kInt8, {1000001}, std::vector<char>(1000001)), 1000001),
            "Invalid argument: classification output tensor too large: expected at most 1000000 "
            "classes, got 1000001");
}

}  // namespace
}  // namespace pt::api
