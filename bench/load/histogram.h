// Histogram: latencies in logarithmic bins of at most 0.8 % width. Not thread safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace pt::load {

class Histogram {
 public:
  Histogram();

  // Values are nanoseconds; negative ones count as 0.
  void Add(int64_t value);

  int64_t count() const { return count_; }
  int64_t max() const { return max_; }
  double Mean() const { return count_ == 0 ? 0 : sum_ / static_cast<double>(count_); }

  // The value that `share` (0 to 1) of all values do not exceed, to the bin's middle; 0 if empty.
  int64_t Quantile(double share) const;

 private:
  static constexpr int kSubBits = 7;  // 128 bins an octave
  static size_t BinOf(uint64_t value);
  static int64_t MiddleOf(size_t bin);

  std::vector<int64_t> bins_;
  int64_t count_ = 0;
  int64_t max_ = 0;
  double sum_ = 0;
};

}  // namespace pt::load
