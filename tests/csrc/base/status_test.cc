#include "base/status.h"

#include <gtest/gtest.h>

namespace pt {
namespace {

TEST(StatusTest, OkHasNoMessage) {
  const Status status;
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(status.code(), Code::kOk);
  EXPECT_EQ(status.message(), "");
  EXPECT_EQ(status.ToString(), "OK");
}

TEST(StatusTest, CopiesKeepTheMessage) {
  const Status status = InvalidArgument("expected 1, got 2");
  Status copy = status;
  EXPECT_EQ(copy.ToString(), "Invalid argument: expected 1, got 2");
  copy = Status();
  EXPECT_TRUE(copy.ok());
  EXPECT_FALSE(status.ok());
}

TEST(StatusTest, CodesAreSpelledAsTritonDoes) {
  EXPECT_EQ(CodeName(Code::kInternal), "Internal");
  EXPECT_EQ(CodeName(Code::kNotFound), "Not found");
  EXPECT_EQ(CodeName(Code::kAlreadyExists), "Already exists");
  EXPECT_EQ(CodeName(Code::kUnavailable), "Unavailable");
}

Result<int> Half(int value) {
  if (value % 2 != 0) return InvalidArgument("odd");
  return value / 2;
}

Result<int> Quarter(int value) {
  PT_ASSIGN_OR_RETURN(const int half, Half(value));
  return Half(half);
}

TEST(ResultTest, PropagatesTheFirstError) {
  EXPECT_EQ(Quarter(8).value(), 2);
  EXPECT_EQ(Quarter(6).status().message(), "odd");
  EXPECT_FALSE(Quarter(3).ok());
}

TEST(ResultTest, HoldsValuesThatOnlyMove) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(7);
  ASSERT_TRUE(result.ok());
  const std::unique_ptr<int> value = std::move(result).value();
  EXPECT_EQ(*value, 7);
}

}  // namespace
}  // namespace pt
