// HostUsage: how busy the machine's processors are and how much memory it uses, from /proc.
//
// Thread rule: thread-safe.
#pragma once

#include <cstdint>
#include <optional>

#include "base/mutex.h"

namespace pt::api {

struct HostSample {
  double cpu_utilization = 0;  // [0, 1], since the sample before (the first: since the start)
  uint64_t memory_total_bytes = 0;
  uint64_t memory_used_bytes = 0;
};

class HostUsage {
 public:
  // Empty where /proc can't be read.
  std::optional<HostSample> Take() EXCLUDES(mu_);

 private:
  Mutex mu_;
  uint64_t last_busy_ GUARDED_BY(mu_) = 0;
  uint64_t last_total_ GUARDED_BY(mu_) = 0;
  double last_utilization_ GUARDED_BY(mu_) = 0;
};

}  // namespace pt::api
