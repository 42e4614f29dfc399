// BatchCost: learns from the batches of a model what each costs whatever its size, and so whether
// many requests are better done as two batches. While one of them is answered, and the clients send
// again, the other one runs: that saves what server and clients do for a request, and costs what
// comes with each batch.
//
// Thread rule: one thread's. A value.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/clock.h"

namespace pt::backend {

class BatchCost {
 public:
  // What server and clients do for a request, at least.
  static constexpr Duration kOverlap = std::chrono::microseconds(1);
  // What any batch costs, for its messages and wake-ups.
  static constexpr Duration kUsual = std::chrono::microseconds(25);

  // A batch of so many requests ran so long, as the worker says, which may be anything.
  void Record(int64_t requests, Duration run) {
    const auto size = static_cast<double>(requests);
    auto time = static_cast<double>(std::clamp(run, Duration(0), kLongest).count());
    if (mean_time_ == 0) {
      mean_size_ = size;
      mean_time_ = time;
    }
    time = std::min(time, kMostOutlying * mean_time_);  // the worker was kept from its CPU
    const double by_size = size - mean_size_;
    const double by_time = time - mean_time_;
    mean_size_ += kWeight * by_size;
    mean_time_ += kWeight * by_time;
    variance_ += kWeight * (by_size * by_size - variance_);
    covariance_ += kWeight * (by_size * by_time - covariance_);
    if (variance_ < kLeastVariance) {
      // All batches have one size and tell nothing: what was learned is doubted, slowly, until two
      // halves are tried again.
      fixed_ -= fixed_ * kDoubt;
    } else {
      const double slope = std::max(covariance_ / variance_, 0.0);
      fixed_ = std::max(mean_time_ - slope * mean_size_, 0.0);
    }
  }

  // What a batch takes beside what its requests take.
  Duration fixed() const { return Duration(static_cast<int64_t>(fixed_)); }

  // Whether `requests` are better done as two batches, each of which takes `fixed` beside them.
  static bool PartsWell(Duration fixed, int64_t requests) {
    return fixed <= kUsual + requests * kOverlap;
  }

 private:
  static constexpr Duration kLongest = std::chrono::hours(1);
  static constexpr double kWeight = 1.0 / 32;
  static constexpr double kMostOutlying = 4;
  static constexpr double kLeastVariance = 1;
  static constexpr double kDoubt = 1.0 / 1024;

  double mean_size_ = 0;
  double mean_time_ = 0;   // nanoseconds
  double variance_ = 0;    // of the size
  double covariance_ = 0;  // of size and time
  double fixed_ = 0;       // nanoseconds
};

}  // namespace pt::backend
