// The clock of all time stamps: CLOCK_MONOTONIC in nanoseconds, as Python's time.monotonic_ns().
#pragma once

#include <cstdint>
#include <ctime>

namespace pt::load {

inline int64_t NowNs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

inline int64_t NsOf(double seconds) { return static_cast<int64_t>(seconds * 1e9); }

}  // namespace pt::load
