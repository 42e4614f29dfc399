// Clock: where time comes from. Everything that decides by time takes a Clock or a TimePoint, so
// that tests decide what time it is.
//
// Thread rule: thread-safe.
#pragma once

#include <chrono>

namespace pt {

using TimePoint = std::chrono::steady_clock::time_point;
using Duration = std::chrono::nanoseconds;

inline constexpr TimePoint kNoDeadline = TimePoint::max();

class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint Now() const = 0;
};

class SteadyClock final : public Clock {
 public:
  TimePoint Now() const override { return std::chrono::steady_clock::now(); }
};

}  // namespace pt
