// Cells: memory for the small objects of a request, kept by the thread that gave them back.
//
// A batch makes requests, lists and calls by the hundred before it frees the first of them;
// malloc's own per-thread cache holds seven of a size, and the rest takes its slow path: a sixth of
// a small gRPC request's instructions. Here each thread keeps up to kKeptCells of a size.
//
// Not a pool for tensors: that is BlockPool (block.h). Larger sizes go straight to the heap.
// Thread rule: any; a cell may be given back by another thread than the one that took it.
// Owner rule: cells belong to whoever took them; what a thread keeps is freed when it ends.
#pragma once

#include <cstddef>

namespace pt {

inline constexpr size_t kMaxCell = 2048;   // bytes; larger objects are not kept
inline constexpr size_t kKeptCells = 256;  // of each size and thread

// Memory for `size` bytes, as by `new`: aligned for anything, never null.
void* TakeCell(size_t size);
// The same for callers that can do without: null when there is none.
void* TryTakeCell(size_t size);
// Gives it back. REQUIRES: `cell` is of this size from one of the two, or null.
void GiveCell(void* cell, size_t size);

// A base class: objects of classes below it live in cells.
struct InCells {
  static void* operator new(size_t size) { return TakeCell(size); }
  static void operator delete(void* cell, size_t size) { GiveCell(cell, size); }
};

// For std::vector: short lists live in cells.
template <typename T>
struct CellAllocator {
  using value_type = T;
  static_assert(alignof(T) <= alignof(std::max_align_t));

  CellAllocator() = default;
  template <typename U>
  CellAllocator(const CellAllocator<U>&) {}  // NOLINT: implicit on purpose, as allocators must be
  // REQUIRES: count * sizeof(T) does not overflow, which std::vector sees to.
  T* allocate(size_t count) { return static_cast<T*>(TakeCell(count * sizeof(T))); }
  void deallocate(T* cell, size_t count) { GiveCell(cell, count * sizeof(T)); }
  friend bool operator==(const CellAllocator&, const CellAllocator&) { return true; }
};

}  // namespace pt
