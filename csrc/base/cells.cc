#include "base/cells.h"

#include <array>
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
// thread gives its first cell back. An allocator's cache, as malloc's own (ARCHITECTURE.md).
// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables)
thread_local constinit Kept* kept [[gnu::tls_model("initial-exec")]] = nullptr;

void FreeAll(Kept* cells) {
  for (Cell* cell : cells->first) {
    while (cell != nullptr) ::operator delete(std::exchange(cell, cell->next));
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

// Null: none is kept. REQUIRES: a size that has a class.
void* TakeKept(size_t size_class) {
  Kept* const cells = kept;
  if (cells == nullptr || cells->first[size_class] == nullptr) return nullptr;
  Cell* const cell = cells->first[size_class];
  cells->first[size_class] = cell->next;
  --cells->count[size_class];
  return cell;
}

// Huge for size 0.
size_t ClassOf(size_t size) { return (size - 1) / kStep; }

}  // namespace

void* TakeCell(size_t size) {
  const size_t size_class = ClassOf(size);
  if (size_class >= kClasses) return ::operator new(size);
  void* const cell = TakeKept(size_class);
  return cell != nullptr ? cell : ::operator new((size_class + 1) * kStep);
}

void* TryTakeCell(size_t size) {
  const size_t size_class = ClassOf(size);
  if (size_class >= kClasses) return ::operator new(size, std::nothrow);
  void* const cell = TakeKept(size_class);
  return cell != nullptr ? cell : ::operator new((size_class + 1) * kStep, std::nothrow);
}

void GiveCell(void* memory, size_t size) {
  const size_t size_class = ClassOf(size);
  if (memory == nullptr || size_class >= kClasses || kKept == 0) return ::operator delete(memory);
  Kept* const cells = kept != nullptr ? kept : BeginKeeping();
  if (cells == nullptr || cells->count[size_class] >= kKept) return ::operator delete(memory);
  Cell* const cell = static_cast<Cell*>(memory);
  cell->next = cells->first[size_class];
  cells->first[size_class] = cell;
  ++cells->count[size_class];
}

}  // namespace pt
