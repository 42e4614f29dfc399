#include "backend/worker_arena.h"

#include <sys/mman.h>
#include <unistd.h>

#include <bit>
#include <cstring>

namespace pt::backend {
namespace {

// How many free pieces that are still being sent are looked at before a new one is made.
constexpr int kLooks = 8;

struct SizeClass {
  uint32_t number;
  uint64_t size;
};

// The next of four sizes an octave, so that at most a fifth of a piece is unused.
SizeClass ClassOf(uint64_t size) {
  if (size <= WorkerArena::kSmallest) return {0, WorkerArena::kSmallest};
  const int octave = std::bit_width(size - 1) - 1;
  const uint64_t step = uint64_t{1} << (octave - 2);
  const uint64_t steps = (size - (uint64_t{1} << octave) + step - 1) / step;  // 1 to 4
  const int first = std::bit_width(WorkerArena::kSmallest) - 1;
  const auto number = static_cast<uint32_t>((octave - first) * 4) + static_cast<uint32_t>(steps);
  return {number, (uint64_t{1} << octave) + steps * step};
}

}  // namespace

// numpy's calls; ctx is the arena.
struct NumpyCalls {
  static WorkerArena* ArenaOf(void* ctx) { return static_cast<WorkerArena*>(ctx); }
  static const NumpyAllocator& Before(const WorkerArena* arena) {
    return arena->before_->allocator;
  }

  static void* Malloc(void* ctx, size_t size) {
    WorkerArena* arena = ArenaOf(ctx);
    void* data = size >= WorkerArena::kSmallest ? arena->Allocate(size) : nullptr;
    const NumpyAllocator& before = Before(arena);
    return data != nullptr ? data : before.malloc(before.ctx, size);
  }

  static void* Calloc(void* ctx, size_t count, size_t size) {
    WorkerArena* arena = ArenaOf(ctx);
    size_t bytes = 0;
    const bool fits = !__builtin_mul_overflow(count, size, &bytes);
    void* data = fits && bytes >= WorkerArena::kSmallest ? arena->Allocate(bytes) : nullptr;
    if (data != nullptr) return std::memset(data, 0, bytes);
    const NumpyAllocator& before = Before(arena);
    return before.calloc(before.ctx, count, size);
  }

  static void* Realloc(void* ctx, void* data, size_t size) {
    WorkerArena* arena = ArenaOf(ctx);
    const NumpyAllocator& before = Before(arena);
    if (!arena->Contains(data)) return before.realloc(before.ctx, data, size);
    const size_t room = arena->SizeOf(data);
    if (size <= room) return data;
    void* moved = Malloc(ctx, size);
    if (moved == nullptr) return nullptr;
    std::memcpy(moved, data, room);
    arena->Free(data);
    return moved;
  }

  static void Free(void* ctx, void* data, size_t size) {
    WorkerArena* arena = ArenaOf(ctx);
    const NumpyAllocator& before = Before(arena);
    if (arena->Contains(data)) {
      arena->Free(data);
    } else {
      before.free(before.ctx, data, size);
    }
  }
};

WorkerArena::WorkerArena(const Plan& plan) : plan_(plan), owner_(getpid()), used_(plan.begin) {
  pieces_.reserve(plan.slots);
}

const NumpyHandler* WorkerArena::Handler(const NumpyHandler* before) {
  before_ = before;
  constexpr char kName[] = "pytriton_worker_arena";
  std::memcpy(handler_.name, kName, sizeof kName);
  handler_.version = 1;
  handler_.allocator = {this, NumpyCalls::Malloc, NumpyCalls::Calloc, NumpyCalls::Realloc,
                        NumpyCalls::Free};
  return &handler_;
}

bool WorkerArena::IsForked() const { return getpid() != owner_; }

char* WorkerArena::Allocate(size_t size) {
  const SizeClass wanted = ClassOf(size);
  if (wanted.number >= kClasses || IsForked()) return nullptr;
  MutexLock lock(&mu_);
  uint32_t piece = TakeFree(wanted.number);
  if (piece == kNone) piece = MakePiece(wanted.number, wanted.size);
  if (piece == kNone) return nullptr;
  pieces_[piece].is_held = pieces_[piece].has_pages = true;
  needs_trim_.store(true, std::memory_order_relaxed);
  return plan_.base + pieces_[piece].offset;
}

uint32_t WorkerArena::TakeFree(uint32_t size_class) {
  FreeList* list = &free_[size_class];
  for (int look = 0; look < kLooks && list->first != kNone; ++look) {
    const uint32_t piece = PopFirst(list);
    if (Word(piece).load(std::memory_order_acquire) == 0) return piece;
    Append(piece);
  }
  return kNone;
}

uint32_t WorkerArena::MakePiece(uint32_t size_class, uint64_t size) {
  if (pieces_.size() >= plan_.slots || size > plan_.end - used_) return kNone;
  Piece& piece = pieces_.emplace_back();
  piece.offset = used_;
  piece.size = size;
  piece.size_class = size_class;
  used_ += size;
  return static_cast<uint32_t>(pieces_.size() - 1);
}

void WorkerArena::Append(uint32_t piece) {
  FreeList* list = &free_[pieces_[piece].size_class];
  pieces_[piece].next = kNone;
  if (list->last == kNone) {
    list->first = piece;
  } else {
    pieces_[list->last].next = piece;
  }
  list->last = piece;
}

uint32_t WorkerArena::PopFirst(FreeList* list) {
  const uint32_t piece = list->first;
  list->first = pieces_[piece].next;
  if (list->first == kNone) list->last = kNone;
  return piece;
}

bool WorkerArena::Contains(const void* data) const {
  const auto* at = static_cast<const char*>(data);
  return at >= plan_.base + plan_.begin && at < plan_.base + plan_.end;
}

uint32_t WorkerArena::FindPiece(uint64_t offset) const {
  if (pieces_.empty() || offset < plan_.begin || offset >= used_) return kNone;
  size_t low = 0;
  size_t high = pieces_.size();
  while (high - low > 1) {
    const size_t middle = (low + high) / 2;
    (pieces_[middle].offset <= offset ? low : high) = middle;
  }
  return static_cast<uint32_t>(low);
}

void WorkerArena::Free(const void* data) {
  if (IsForked()) return;
  MutexLock lock(&mu_);
  const auto offset = static_cast<uint64_t>(static_cast<const char*>(data) - plan_.base);
  const uint32_t piece = FindPiece(offset);
  if (piece == kNone || !pieces_[piece].is_held) return;
  pieces_[piece].is_held = false;
  Append(piece);
}

size_t WorkerArena::SizeOf(const void* data) const {
  MutexLock lock(&mu_);
  const auto offset = static_cast<uint64_t>(static_cast<const char*>(data) - plan_.base);
  const uint32_t piece = FindPiece(offset);
  return piece == kNone ? 0 : pieces_[piece].size;
}

std::optional<uint32_t> WorkerArena::Send(uint64_t offset, uint64_t size) {
  MutexLock lock(&mu_);
  const uint32_t piece = FindPiece(offset);
  if (piece == kNone || !pieces_[piece].is_held) return std::nullopt;
  const uint64_t within = offset - pieces_[piece].offset;
  if (size > pieces_[piece].size - within) return std::nullopt;
  if (Word(piece).load(std::memory_order_acquire) != 0) return std::nullopt;
  Word(piece).store(1, std::memory_order_relaxed);
  return plan_.first_slot + piece;
}

bool WorkerArena::IsHeld(uint32_t slot) const {
  MutexLock lock(&mu_);
  return pieces_[slot - plan_.first_slot].is_held;
}

void WorkerArena::Unsend(uint32_t slot) { plan_.words[slot].store(0, std::memory_order_release); }

void WorkerArena::Trim() {
  MutexLock lock(&mu_);
  bool is_in_use = false;
  for (uint32_t number = 0; number < pieces_.size(); ++number) {
    Piece& piece = pieces_[number];
    if (!piece.has_pages) continue;
    if (piece.is_held || Word(number).load(std::memory_order_acquire) != 0) {
      is_in_use = true;
      continue;
    }
    madvise(plan_.base + piece.offset, piece.size, MADV_REMOVE);
    piece.has_pages = false;
  }
  needs_trim_.store(is_in_use, std::memory_order_relaxed);
}

bool WorkerArena::MakePrivate(int fd) const {
  // No lock: another thread may have held it when the process forked.
  return mmap(plan_.base + plan_.begin, plan_.end - plan_.begin, PROT_READ | PROT_WRITE,
              MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, fd,
              static_cast<off_t>(plan_.begin)) != MAP_FAILED;
}

}  // namespace pt::backend
