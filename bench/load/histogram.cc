#include "load/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace pt::load {

Histogram::Histogram() : bins_((64 - kSubBits + 1) << kSubBits) {}

size_t Histogram::BinOf(uint64_t value) {
  int octave = std::bit_width(value) - 1 - kSubBits;
  if (octave < 0) return value;  // exact below 2^kSubBits
  uint64_t within = (value >> octave) & ((1u << kSubBits) - 1);
  return (static_cast<size_t>(octave + 1) << kSubBits) + within;
}

int64_t Histogram::MiddleOf(size_t bin) {
  size_t row = bin >> kSubBits;
  if (row == 0) return static_cast<int64_t>(bin);
  uint64_t within = (bin & ((1u << kSubBits) - 1)) | (1u << kSubBits);
  uint64_t width = 1ull << (row - 1);
  return static_cast<int64_t>(within * width + width / 2);
}

void Histogram::Add(int64_t value) {
  value = std::max<int64_t>(value, 0);
  ++bins_[BinOf(static_cast<uint64_t>(value))];
  ++count_;
  sum_ += static_cast<double>(value);
  max_ = std::max(max_, value);
}

int64_t Histogram::Quantile(double share) const {
  if (count_ == 0) return 0;
  int64_t wanted =
      std::max<int64_t>(1, static_cast<int64_t>(std::ceil(share * static_cast<double>(count_))));
  int64_t seen = 0;
  for (size_t bin = 0; bin < bins_.size(); ++bin) {
    seen += bins_[bin];
    if (seen >= wanted) return std::min(MiddleOf(bin), max_);
  }
  return max_;
}

}  // namespace pt::load
