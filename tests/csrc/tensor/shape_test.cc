#include "tensor/shape.h"

#include <gtest/gtest.h>

#include <limits>
#include <utility>

namespace pt {
namespace {

constexpr int64_t kMax = std::numeric_limits<int64_t>::max();

Shape OfRank(int rank) {
  Shape shape;
  for (int axis = 0; axis < rank; ++axis) EXPECT_TRUE(shape.Append(axis + 1));
  return shape;
}

TEST(ShapeTest, GrowsBeyondItsInlineDimensions) {
  const Shape shape = OfRank(20);
  ASSERT_EQ(shape.rank(), 20);
  for (int axis = 0; axis < 20; ++axis) EXPECT_EQ(shape[axis], axis + 1);
}

TEST(ShapeTest, RefusesMoreThanTheHighestRank) {
  Shape shape = OfRank(Shape::kMaxRank);
  EXPECT_FALSE(shape.Append(1));
  EXPECT_EQ(shape.rank(), Shape::kMaxRank);
}

TEST(ShapeTest, CopiesAndMovesSmallAndLarge) {
  for (const int rank : {0, 1, 6, 7, 64}) {
    const Shape original = OfRank(rank);
    Shape copy = original;
    EXPECT_EQ(copy, original);
    Shape moved = std::move(copy);
    EXPECT_EQ(moved, original);
    EXPECT_EQ(copy.rank(), 0);  // NOLINT: the moved-from state is documented
    EXPECT_TRUE(copy.Append(5));
    copy = moved;
    EXPECT_EQ(copy, original);
    copy = Shape{9};
    copy = std::move(moved);
    EXPECT_EQ(copy, original);
  }
}

TEST(ShapeTest, ShrinksFromLargeToSmall) {
  Shape shape = OfRank(10);
  shape = Shape{1, 2};
  EXPECT_EQ(shape, (Shape{1, 2}));
  EXPECT_TRUE(shape.Append(3));
  EXPECT_EQ(shape.ToString(), "[1,2,3]");
}

TEST(ShapeTest, CountsElementsWithoutOverflow) {
  EXPECT_EQ(Shape().ElementCount(), 1);
  EXPECT_EQ((Shape{2, 3}).ElementCount(), 6);
  EXPECT_EQ((Shape{kMax}).ElementCount(), kMax);
  EXPECT_EQ((Shape{kMax, 2}).ElementCount(), std::nullopt);
  EXPECT_EQ((Shape{int64_t{1} << 32, int64_t{1} << 32}).ElementCount(), std::nullopt);
  EXPECT_EQ((Shape{kMax, kMax, 0}).ElementCount(), 0) << "a zero dimension empties any tensor";
  EXPECT_EQ((Shape{0, -1}).ElementCount(), std::nullopt);
  EXPECT_EQ((Shape{-2, -3}).ElementCount(), std::nullopt);
}

TEST(ShapeTest, PrintsAsTritonDoes) {
  EXPECT_EQ(Shape().ToString(), "[]");
  EXPECT_EQ((Shape{-1, 4}).ToString(), "[-1,4]");
}

}  // namespace
}  // namespace pt
