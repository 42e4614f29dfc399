// LogBudget: how many verbose lines a while may bring. A server under load could write several for
// each of a hundred thousand requests a second: nobody reads them, and building them costs more
// than the requests. What goes beyond the budget is left out before it is built, and counted.
//
// Thread rule: thread-safe, lock-free. Owner rule: owned by the Logger.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "base/clock.h"

namespace pt {

class LogBudget {
 public:
  static constexpr std::chrono::milliseconds kPeriod{50};
  static constexpr uint32_t kLinesPerPeriod = 500;  // 10,000 a second

  // May one more line be built now?
  bool Take(TimePoint now);
  // How many lines were left out since the last call.
  uint64_t TakeLeftOut() { return left_out_.exchange(0, std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> state_{0};  // number of the period << 32 | lines in it
  std::atomic<uint64_t> left_out_{0};
};

}  // namespace pt
