// CopyCount: how many tensor bytes this process has copied, for the tests that say "not at all".
// Whoever copies bytes of tensors or bodies says so here.
//
// Small copies are not counted: they are cheaper than counting would be, and nobody avoids them.
// Thread rule: thread-safe. Owner rule: the counts are the process's, as a test sees only that.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pt {

struct CopyCounts {
  uint64_t copies = 0;
  uint64_t bytes = 0;
};

// From this size on a copy counts: a page, which takes far longer to copy than to count.
inline constexpr size_t kCountedCopy = 4096;

void CountLargeCopy(size_t size);

inline void CountCopy(size_t size) {
  if (size >= kCountedCopy) [[unlikely]]
    CountLargeCopy(size);
}

CopyCounts ReadCopyCounts();

}  // namespace pt
