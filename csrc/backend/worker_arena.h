// WorkerArena: the memory that a worker's numpy makes large arrays in, so that results are born
// where the server sends them from. Pieces of the results' region (backend/worker_process.h), each
// with a slot: a word that is 1 while the server sends the piece.
//
// It runs in the worker: a small library of its own, without Python and without the rest of the
// core, so that any interpreter can load it (pytriton/backends/_arena.py). numpy calls it through
// the allocator interface of NEP 49, whose structs are repeated here.
//
// A piece is held from its allocation until numpy frees it. A result can be sent in place when it
// is not held any more: then nobody in the worker can write to it. Reused when it is neither held
// nor being sent.
//
// Thread rule: thread-safe. In a forked child it hands out nothing. Owner rule: borrows memory and
// words, which the process maps for life; lives as long as the process, since numpy keeps it.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/mutex.h"

namespace pt::backend {

// numpy's PyDataMem_Handler, version 1.
struct NumpyAllocator {
  void* ctx;
  void* (*malloc)(void* ctx, size_t size);
  void* (*calloc)(void* ctx, size_t count, size_t size);
  void* (*realloc)(void* ctx, void* data, size_t size);
  void (*free)(void* ctx, void* data, size_t size);
};
struct NumpyHandler {
  char name[127];
  uint8_t version;
  NumpyAllocator allocator;
};

class WorkerArena {
 public:
  // Smaller arrays are left to the allocator that was there before.
  static constexpr size_t kSmallest = size_t{64} << 10;

  // The part of the region that is its own: memory from `begin` to `end`, as offsets from `base`,
  // and slots from `first_slot` on.
  struct Plan {
    char* base = nullptr;
    uint64_t begin = 0;
    uint64_t end = 0;
    std::atomic<uint32_t>* words = nullptr;  // of all slots
    uint32_t first_slot = 0;
    uint32_t slots = 0;
  };
  explicit WorkerArena(const Plan& plan);
  WorkerArena(const WorkerArena&) = delete;
  WorkerArena& operator=(const WorkerArena&) = delete;

  // What numpy is given; `before` serves all that the arena doesn't.
  const NumpyHandler* Handler(const NumpyHandler* before);

  // At least kSmallest bytes; null when there is no room or this is a forked child.
  char* Allocate(size_t size) EXCLUDES(mu_);
  bool Contains(const void* data) const;
  void Free(const void* data) EXCLUDES(mu_);
  // Bytes of the piece at `data`, which Allocate gave.
  size_t SizeOf(const void* data) const EXCLUDES(mu_);

  // Marks the piece that holds these bytes as being sent; its slot. Empty: they are not in a piece,
  // or it is being sent already.
  std::optional<uint32_t> Send(uint64_t offset, uint64_t size) EXCLUDES(mu_);
  bool IsHeld(uint32_t slot) const EXCLUDES(mu_);
  // Takes Send back.
  void Unsend(uint32_t slot) EXCLUDES(mu_);

  // Gives the memory of free pieces back to the system.
  void Trim() EXCLUDES(mu_);
  // Whether something was used since Trim, or was in use then.
  bool needs_trim() const { return needs_trim_.load(std::memory_order_relaxed); }
  // In a forked child: what it writes to the arena from now on is its own.
  bool MakePrivate(int fd) const;

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr size_t kClasses = 96;  // four sizes an octave, from 64 KB to 1 TB

  struct Piece {
    uint64_t offset = 0;
    uint64_t size = 0;
    uint32_t next = kNone;  // in its class's list of free pieces
    uint32_t size_class = 0;
    bool is_held = false;
    bool has_pages = false;
  };
  struct FreeList {
    uint32_t first = kNone;
    uint32_t last = kNone;
  };

  uint32_t TakeFree(uint32_t size_class) REQUIRES(mu_);
  uint32_t MakePiece(uint32_t size_class, uint64_t size) REQUIRES(mu_);
  void Append(uint32_t piece) REQUIRES(mu_);
  uint32_t PopFirst(FreeList* list) REQUIRES(mu_);
  uint32_t FindPiece(uint64_t offset) const REQUIRES(mu_);
  std::atomic<uint32_t>& Word(uint32_t piece) const {
    return plan_.words[plan_.first_slot + piece];
  }
  bool IsForked() const;

  const Plan plan_;
  const pid_t owner_;
  NumpyHandler handler_{};
  const NumpyHandler* before_ = nullptr;
  mutable Mutex mu_;
  std::vector<Piece> pieces_ GUARDED_BY(mu_);  // by offset
  uint64_t used_ GUARDED_BY(mu_);
  FreeList free_[kClasses] GUARDED_BY(mu_);
  std::atomic<bool> needs_trim_{false};

  friend struct NumpyCalls;
};

}  // namespace pt::backend
