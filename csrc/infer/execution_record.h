// What statistics take from one execution: made where a batch was executed, for ModelStats.
//
// Thread rule: pure functions.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/clock.h"
#include "infer/backend.h"
#include "infer/stats.h"

namespace pt {

// A clock that was read in another order than things happened must not count 580 years.
inline uint64_t Nanoseconds(Duration taken) {
  return static_cast<uint64_t>(std::max<int64_t>(0, taken.count()));
}

inline void AddTimes(const ExecutionTimes& times, TimePoint started, TimePoint ended,
                     ExecutionRecord* record) {
  record->compute_input_ns = Nanoseconds(times.input_end - started);
  record->compute_infer_ns = Nanoseconds(times.infer_end - times.input_end);
  record->compute_output_ns = Nanoseconds(ended - times.infer_end);
}

// Counts one request of the execution; `taken`: since it arrived.
inline void AddEnded(int64_t batch_size, Duration taken, bool is_ok, ExecutionRecord* record) {
  const uint64_t ns = Nanoseconds(taken);
  if (is_ok) {
    ++record->succeeded;
    record->succeeded_size += static_cast<uint64_t>(batch_size);
    record->success_ns += ns;
    record->success_us += ns / 1000;
  } else {
    ++record->failed;
    record->fail_ns += ns;
  }
}

}  // namespace pt
