// SpacePool: deals out one piece of memory that is dear to get, best fit: page-locked memory, or a
// device's. Such memory costs far more to get than to copy, so it is got once.
//
// It never touches the memory: a device's addresses will do.
// Thread rule: thread-safe. Owner rule: borrows the memory; whoever made it frees it after the
// pool.
#pragma once

#include <cstddef>
#include <map>

#include "base/mutex.h"

namespace pt {

class SpacePool {
 public:
  static constexpr size_t kAlignment = 256;

  // `begin` must be aligned to kAlignment.
  SpacePool(char* begin, size_t size);

  char* begin() const { return begin_; }
  size_t size() const { return size_; }
  // What Take takes for a size. REQUIRES: no more than a pool's size.
  static size_t Rounded(size_t size);
  // Null when no hole is large enough.
  char* Take(size_t size) EXCLUDES(mu_);
  // REQUIRES: `memory` came from Take and was not given back yet.
  void Give(char* memory) EXCLUDES(mu_);
  size_t used_bytes() const EXCLUDES(mu_);

 private:
  char* const begin_;
  const size_t size_;
  mutable Mutex mu_;
  std::map<char*, size_t> holes_ GUARDED_BY(mu_);  // never two that touch
  std::map<char*, size_t> taken_ GUARDED_BY(mu_);
  size_t used_ GUARDED_BY(mu_) = 0;
};

}  // namespace pt
