// ShortModel: judges from measured batches whether a model is so quick that its instance may drive
// an event loop between batches. One overrun sends the model back to its own thread for a while.
//
// Thread rule: thread-safe; instances that record at once only blur the count.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>

#include "base/clock.h"

namespace pt::schedule {

class ShortModel {
 public:
  // A batch that takes this long delays other connections of the loop noticeably.
  static constexpr Duration kOverrun = std::chrono::microseconds(1000);
  // What a batch may take; beyond, waking a thread costs little in comparison.
  static constexpr Duration kShort = std::chrono::microseconds(250);
  // Batches in a row that prove it, at first and after an overrun.
  static constexpr int kProof = 16;
  static constexpr int kProofAfterOverrun = 128;

  void Record(Duration taken) {
    int needed = needed_.load(std::memory_order_relaxed);
    if (taken > kOverrun) {
      needed = kProofAfterOverrun;
    } else if (taken > kShort) {
      needed = std::max(needed, kProof);
    } else if (needed > 0) {
      --needed;
    }
    needed_.store(needed, std::memory_order_relaxed);
  }

  bool is_short() const { return needed_.load(std::memory_order_relaxed) == 0; }

 private:
  std::atomic<int> needed_{kProof};
};

}  // namespace pt::schedule
