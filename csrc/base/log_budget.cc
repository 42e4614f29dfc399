#include "base/log_budget.h"

namespace pt {
namespace {

uint64_t PeriodOf(TimePoint now) {
  return static_cast<uint64_t>(now.time_since_epoch() / LogBudget::kPeriod) << 32;
}

uint64_t PartOfPeriod(uint64_t state) { return state & ~uint64_t{0xFFFFFFFF}; }

uint32_t LinesIn(uint64_t state) { return static_cast<uint32_t>(state); }

}  // namespace

bool LogBudget::Take(TimePoint now) {
  const uint64_t period = PeriodOf(now);
  uint64_t state = state_.load(std::memory_order_relaxed);
  // A thread whose clock was read before another's may find a later period: that one counts.
  while (PartOfPeriod(state) < period) {
    if (state_.compare_exchange_weak(state, period + 1, std::memory_order_relaxed)) return true;
  }
  if (LinesIn(state) < kLinesPerPeriod &&
      LinesIn(state_.fetch_add(1, std::memory_order_relaxed)) < kLinesPerPeriod) {
    return true;
  }
  left_out_.fetch_add(1, std::memory_order_relaxed);
  return false;
}

}  // namespace pt
