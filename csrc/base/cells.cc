#include "base/cells.h"

#include <array>
#include <cstdlib>
#include <new>
#include <utility>

namespace pt {
namespace {

constexpr size_t kStep = 64;  // sizes are rounded up to a cache line
constexpr size_t kClasses = kMaxCell / kStep;
// Under a sanitizer each object gets memory of its own, so that a use after its end is seen.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(_GLIBCXX_TSAN)
constexpr size_t kKept = 0;
#else
constexpr size_t kKept = kKeptCells;
#endif

struct Cell {
  Cell* next;
};

// What one thread keeps, by size.
struct Kept {
  std::array<Cell*, kClasses> first{};
  std::array<size_t, kClasses> count{};
};

// A pointer only, in static thread storage: reaching it costs one instruction. Null before the
// thread gives its first cell back.
thread_local constinit Kept* kept [[gnu::tls_model("initial-exec")]] = nullptr;

void FreeAll(Kept* cells) {
  for (Cell* cell : cells->first) {
    while (cell != nullptr) std::free(std::exchange(cell, cell->next));
  }
  delete cells;
}

// At the end of the thread. What is given back later still, by other such objects, is kept anew and
// not freed: a few cells of a thread that is gone.
struct AtThreadEnd {
  ~AtThreadEnd() { FreeAll(std::exchange(kept, nullptr)); }
};

Kept* BeginKeeping() {
  kept = new (std::nothrow) Kept;
  if (kept != nullptr) thread_local const AtThreadEnd at_end;
  return kept;
}

}  // namespace

void* TakeCell(size_t size) {
  if (size > kMaxCell || size == 0) return std::malloc(size == 0 ? 1 : size);
  const size_t size_class = (size - 1) / kStep;
  Kept* const cells = kept;
  if (cells == nullptr || cells->first[size_class] == nullptr) {
    return std::malloc((size_class + 1) * kStep);
  }
  Cell* const cell = cells->first[size_class];
  cells->first[size_class] = cell->next;
  --cells->count[size_class];
  return cell;
}

void GiveCell(void* memory, size_t size) {
  const size_t size_class = (size - 1) / kStep;  // huge for size 0
  if (memory == nullptr || size_class >= kClasses || kKept == 0) return std::free(memory);
  Kept* const cells = kept != nullptr ? kept : BeginKeeping();
  if (cells == nullptr || cells->count[size_class] >= kKept) return std::free(memory);
  Cell* const cell = static_cast<Cell*>(memory);
  cell->next = cells->first[size_class];
  cells->first[size_class] = cell;
  ++cells->count[size_class];
}

}  // namespace pt
