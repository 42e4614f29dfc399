// PinnedPool: deals out one piece of page-locked host memory, best fit. Locking pages costs far
// more than a copy, so they are locked once.
//
// Thread rule: thread-safe. Owner rule: borrows the memory; whoever made it frees it after the
// pool.
#pragma once

#include <cstddef>
#include <map>

#include "base/mutex.h"

namespace pt {

class PinnedPool {
 public:
  static constexpr size_t kAlignment = 256;

  // `begin` must be aligned to kAlignment.
  PinnedPool(char* begin, size_t size);

  char* begin() const { return begin_; }
  // Null when no hole is large enough.
  char* Take(size_t size) EXCLUDES(mu_);
  // REQUIRES: `memory` came from Take and was not given back yet.
  void Give(char* memory) EXCLUDES(mu_);
  size_t used_bytes() const EXCLUDES(mu_);

 private:
  char* const begin_;
  mutable Mutex mu_;
  std::map<char*, size_t> holes_ GUARDED_BY(mu_);  // never two that touch
  std::map<char*, size_t> taken_ GUARDED_BY(mu_);
  size_t used_ GUARDED_BY(mu_) = 0;
};

}  // namespace pt
