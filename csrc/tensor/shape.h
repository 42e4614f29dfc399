// Shape: the dimensions of a tensor; up to six are held inside. Sizes are computed with overflow
// checks, because dimensions come from outside.
//
// Thread rule: a value.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace pt {

class Shape {
 public:
  static constexpr int kMaxRank = 64;
  static constexpr int kInlineRank = 6;

  Shape() = default;
  // REQUIRES: dims.size() <= kMaxRank.
  explicit Shape(std::span<const int64_t> dims);
  Shape(std::initializer_list<int64_t> dims) : Shape(std::span(dims.begin(), dims.size())) {}
  Shape(const Shape& other) : Shape(other.dims()) {}
  Shape& operator=(const Shape& other);
  // The moved-from shape has rank 0.
  Shape(Shape&& other) noexcept;
  Shape& operator=(Shape&& other) noexcept;

  int rank() const { return rank_; }
  std::span<const int64_t> dims() const { return {data(), static_cast<size_t>(rank_)}; }
  int64_t operator[](int axis) const { return data()[axis]; }
  void set(int axis, int64_t dim) { data()[axis] = dim; }
  // False, and nothing changes, when the rank would exceed kMaxRank.
  [[nodiscard]] bool Append(int64_t dim);
  bool operator==(const Shape& other) const;

  // Product of the dimensions (1 for rank 0, 0 with any zero dimension). Empty on overflow of int64
  // or a negative dimension.
  std::optional<int64_t> ElementCount() const;
  // "[1,4]".
  std::string ToString() const;

 private:
  const int64_t* data() const { return more_ ? more_.get() : inline_; }
  int64_t* data() { return more_ ? more_.get() : inline_; }

  int rank_ = 0;
  int64_t inline_[kInlineRank];
  std::unique_ptr<int64_t[]> more_;  // kMaxRank long once the rank exceeds kInlineRank
};

}  // namespace pt
