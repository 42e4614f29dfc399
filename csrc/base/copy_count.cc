#include "base/copy_count.h"

#include <atomic>

namespace pt {
namespace {

// Passing an object to every place that copies would cost more than it tells.
// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables)
std::atomic<uint64_t> copies{0};
// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables)
std::atomic<uint64_t> bytes{0};

}  // namespace

void CountLargeCopy(size_t size) {
  copies.fetch_add(1, std::memory_order_relaxed);
  bytes.fetch_add(size, std::memory_order_relaxed);
}

CopyCounts ReadCopyCounts() {
  return {copies.load(std::memory_order_relaxed), bytes.load(std::memory_order_relaxed)};
}

}  // namespace pt
