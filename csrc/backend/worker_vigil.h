// Vigil: decides whether the server stays awake for a worker's answer instead of sleeping. Where a
// CPU that idles is slow to wake, being woken takes longer than a short model.
//
// It is kept for lonely requests alone (one after the other, so that nobody else waits for the
// thread meanwhile), for models that have been quick, and where there is another CPU to run the
// worker. After a vigil in vain, because that CPU had other work, a growing number of requests does
// without. Thread rule: one thread's. A value.
#pragma once

#include <algorithm>

#include "base/clock.h"

namespace pt::backend {

class Vigil {
 public:
  static constexpr Duration kLongest = std::chrono::microseconds(100);
  // What a batch may take, as the worker says.
  static constexpr Duration kQuick = std::chrono::microseconds(50);
  static constexpr int kLonely = 16;         // requests in a row
  static constexpr int kLongestPause = 256;  // requests

  explicit Vigil(unsigned cpus) : has_cpu_(cpus > 1) {}

  // A request goes to the worker: alone, and nothing is there yet; or not.
  void Count(bool is_lonely) { lonely_ = is_lonely ? std::min(lonely_ + 1, kLonely) : 0; }
  // Whether to keep one for it. `takes`: what batches take.
  bool IsDue(Duration takes) {
    if (!has_cpu_ || lonely_ < kLonely || takes > kQuick) return false;
    if (pause_ == 0) return true;
    --pause_;
    return false;
  }
  void Ended(bool was_in_vain) {
    penalty_ = was_in_vain ? std::min(std::max(2 * penalty_, 1), kLongestPause) : penalty_ / 2;
    if (was_in_vain) pause_ = penalty_;
  }

 private:
  const bool has_cpu_;
  int lonely_ = 0;
  int penalty_ = 0;
  int pause_ = 0;
};

}  // namespace pt::backend
