// DevicePool: deals out one piece of a device's memory. Getting such memory stops the device until
// its work has ended; a piece of a pool costs a look at a map.
//
// Whoever was given a piece may have let the device work with it on any stream, and that work may
// still be under way when the piece comes back. So what comes back is set aside, and becomes usable
// all at once: when nothing else is left, the pool waits for the whole device.
//
// Thread rule: thread-safe. Owner rule: borrows the memory; whoever made it frees it after the
// pool.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "tensor/space_pool.h"

namespace pt {

// For people; taken one after the other.
struct DevicePoolCounters {
  uint64_t total_bytes = 0;
  uint64_t used_bytes = 0;  // in somebody's hands
  uint64_t taken = 0;       // pieces dealt out so far
  uint64_t refused = 0;     // pieces that had to come from elsewhere
  uint64_t waits = 0;       // for the device, to use again what came back
};

class DevicePool {
 public:
  // `await` returns when the device has done all it was told; called on the thread that needs it.
  DevicePool(char* begin, size_t size, std::function<Status()> await)
      : space_(begin, size), await_(std::move(await)) {}

  char* begin() const { return space_.begin(); }
  // Null when there is no room, or the device does not end its work: the error is then its user's.
  char* Take(size_t size) EXCLUDES(mu_);
  // REQUIRES: `memory` came from Take(size) and was not given back yet.
  void Give(char* memory, size_t size) EXCLUDES(mu_);
  DevicePoolCounters counters() const EXCLUDES(mu_);

 private:
  // False: nothing came back meanwhile.
  bool Reclaim() EXCLUDES(mu_);

  SpacePool space_;
  const std::function<Status()> await_;
  mutable Mutex mu_;
  std::vector<char*> returned_ GUARDED_BY(mu_);
  size_t returned_bytes_ GUARDED_BY(mu_) = 0;
  DevicePoolCounters counters_ GUARDED_BY(mu_);  // without the bytes
};

}  // namespace pt
