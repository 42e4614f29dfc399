// FakeClock: a Clock whose time the test sets.
//
// Thread rule: thread-safe.
#pragma once

#include <atomic>

#include "base/clock.h"

namespace pt::testing {

class FakeClock final : public Clock {
 public:
  // Starts well after the epoch, so that a test may also look back.
  TimePoint Now() const override { return TimePoint(Duration(now_ns_.load())); }
  void Advance(Duration by) { now_ns_.fetch_add(by.count()); }

 private:
  std::atomic<int64_t> now_ns_{int64_t{1'000'000'000'000}};
};

}  // namespace pt::testing
