#include "tensor/shape.h"

#include <algorithm>

#include "base/status.h"

namespace pt {

Shape::Shape(std::span<const int64_t> dims) {
  PT_DCHECK(dims.size() <= static_cast<size_t>(kMaxRank));
  rank_ = static_cast<int>(std::min<size_t>(dims.size(), kMaxRank));
  if (rank_ > kInlineRank) more_ = std::make_unique<int64_t[]>(kMaxRank);
  std::copy_n(dims.begin(), rank_, data());
}

Shape::Shape(Shape&& other) noexcept : rank_(other.rank_), more_(std::move(other.more_)) {
  if (!more_) std::copy_n(other.inline_, rank_, inline_);
  other.rank_ = 0;
}

Shape& Shape::operator=(const Shape& other) {
  if (this != &other) *this = Shape(other);
  return *this;
}

Shape& Shape::operator=(Shape&& other) noexcept {
  if (this == &other) return *this;
  rank_ = std::exchange(other.rank_, 0);
  more_ = std::move(other.more_);
  if (!more_) std::copy_n(other.inline_, rank_, inline_);
  return *this;
}

bool Shape::Append(int64_t dim) {
  if (rank_ == kMaxRank) return false;
  if (rank_ == kInlineRank && !more_) {
    more_ = std::make_unique<int64_t[]>(kMaxRank);
    std::copy_n(inline_, kInlineRank, more_.get());
  }
  data()[rank_++] = dim;
  return true;
}

bool Shape::operator==(const Shape& other) const {
  const auto mine = dims();
  const auto theirs = other.dims();
  return std::equal(mine.begin(), mine.end(), theirs.begin(), theirs.end());
}

std::optional<int64_t> Shape::ElementCount() const {
  int64_t count = 1;
  bool has_zero = false;
  bool has_overflow = false;
  for (const int64_t dim : dims()) {
    if (dim < 0) return std::nullopt;
    has_zero |= dim == 0;
    has_overflow |= __builtin_mul_overflow(count, dim, &count);
  }
  // A zero dimension makes the tensor empty, however large the others are.
  if (has_zero) return 0;
  if (has_overflow) return std::nullopt;
  return count;
}

std::string Shape::ToString() const {
  std::string out = "[";
  for (int axis = 0; axis < rank_; ++axis) {
    if (axis > 0) out += ',';
    out += std::to_string((*this)[axis]);
  }
  out += ']';
  return out;
}

}  // namespace pt
