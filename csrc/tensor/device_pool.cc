#include "tensor/device_pool.h"

#include <algorithm>
#include <utility>

namespace pt {

char* DevicePool::Take(size_t size) {
  char* memory = space_.Take(size);
  if (memory == nullptr && size <= space_.size() && Reclaim()) memory = space_.Take(size);
  MutexLock lock(&mu_);
  ++(memory != nullptr ? counters_.taken : counters_.refused);
  return memory;
}

void DevicePool::Give(char* memory, size_t size) {
  MutexLock lock(&mu_);
  returned_.push_back(memory);
  returned_bytes_ += SpacePool::Rounded(size);
}

bool DevicePool::Reclaim() {
  std::vector<char*> returned;
  size_t bytes = 0;
  {
    MutexLock lock(&mu_);
    if (returned_.empty()) return false;
    returned.swap(returned_);
    bytes = std::exchange(returned_bytes_, 0);
    ++counters_.waits;
  }
  const bool has_ended = await_().ok();
  if (has_ended) {
    for (char* const memory : returned) space_.Give(memory);
    return true;
  }
  MutexLock lock(&mu_);
  returned_.insert(returned_.end(), returned.begin(), returned.end());
  returned_bytes_ += bytes;
  return false;
}

DevicePoolCounters DevicePool::counters() const {
  const size_t taken = space_.used_bytes();
  MutexLock lock(&mu_);
  DevicePoolCounters counters = counters_;
  counters.total_bytes = space_.size();
  counters.used_bytes = taken - std::min(taken, returned_bytes_);
  return counters;
}

}  // namespace pt
