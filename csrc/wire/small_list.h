// SmallList<T, N>: a list of plain values whose first N are held inside, for parse results that
// live on the stack: the usual request then needs no allocation at all.
//
// Thread rule: a value that belongs to one thread; neither copied nor moved.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <type_traits>

namespace pt::wire {

template <typename T, size_t N>
class SmallList {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  SmallList() = default;
  SmallList(const SmallList&) = delete;
  SmallList& operator=(const SmallList&) = delete;

  // References to elements are valid until the next push_back.
  T& push_back(const T& value) {
    if (size_ == capacity_) Grow();
    return *std::construct_at(data() + size_++, value);
  }
  void clear() { size_ = 0; }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T& operator[](size_t i) { return data()[i]; }
  const T& operator[](size_t i) const { return data()[i]; }
  T& back() { return data()[size_ - 1]; }
  T* begin() { return data(); }
  T* end() { return data() + size_; }
  const T* begin() const { return data(); }
  const T* end() const { return data() + size_; }
  // REQUIRES: first + count <= size().
  std::span<const T> Sub(size_t first, size_t count) const { return {data() + first, count}; }

 private:
  T* data() { return more_ ? more_.get() : reinterpret_cast<T*>(inside_); }
  const T* data() const { return more_ ? more_.get() : reinterpret_cast<const T*>(inside_); }

  void Grow() {
    std::unique_ptr<T[]> more(new T[capacity_ * 2]);
    std::copy_n(data(), size_, more.get());
    more_ = std::move(more);
    capacity_ *= 2;
  }

  size_t size_ = 0;
  size_t capacity_ = N;
  std::unique_ptr<T[]> more_;
  alignas(T) std::byte inside_[N * sizeof(T)];
};

}  // namespace pt::wire
