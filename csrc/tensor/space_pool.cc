#include "tensor/space_pool.h"

#include <algorithm>
#include <iterator>

namespace pt {

SpacePool::SpacePool(char* begin, size_t size)
    : begin_(begin), size_(size / kAlignment * kAlignment) {
  if (size_ > 0) holes_.emplace(begin, size_);
}

size_t SpacePool::Rounded(size_t size) {
  return (std::max<size_t>(size, 1) + kAlignment - 1) / kAlignment * kAlignment;
}

char* SpacePool::Take(size_t size) {
  MutexLock lock(&mu_);
  auto best = holes_.end();
  for (auto hole = holes_.begin(); hole != holes_.end(); ++hole) {
    const bool is_better = best == holes_.end() || hole->second < best->second;
    if (hole->second >= size && is_better) best = hole;
  }
  if (best == holes_.end()) return nullptr;
  // No overflow: a hole holds it, and holes are whole multiples.
  const size_t rounded = Rounded(size);
  char* const memory = best->first;
  const size_t rest = best->second - rounded;
  holes_.erase(best);
  if (rest > 0) holes_.emplace(memory + rounded, rest);
  taken_.emplace(memory, rounded);
  used_ += rounded;
  return memory;
}

void SpacePool::Give(char* memory) {
  MutexLock lock(&mu_);
  const auto taken = taken_.find(memory);
  if (taken == taken_.end()) return;
  size_t size = taken->second;
  taken_.erase(taken);
  used_ -= size;
  auto next = holes_.upper_bound(memory);
  if (next != holes_.end() && next->first == memory + size) {
    size += next->second;
    next = holes_.erase(next);
  }
  if (next != holes_.begin()) {
    const auto before = std::prev(next);
    if (before->first + before->second == memory) {
      before->second += size;
      return;
    }
  }
  holes_.emplace(memory, size);
}

size_t SpacePool::used_bytes() const {
  MutexLock lock(&mu_);
  return used_;
}

}  // namespace pt
