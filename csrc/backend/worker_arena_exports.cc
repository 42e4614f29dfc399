// What the library `pytriton_arena` exports: C functions that pytriton/backends/_arena.py calls
// through ctypes. No part of the core library.
#include <new>

#include "backend/worker_arena.h"

using pt::backend::NumpyHandler;
using pt::backend::WorkerArena;

extern "C" {

// Null without memory. The arena lives as long as the process.
__attribute__((visibility("default"))) WorkerArena* pt_arena_open(void* base, uint64_t begin,
                                                                  uint64_t end, void* words,
                                                                  uint32_t slots) {
  WorkerArena::Plan plan;
  plan.base = static_cast<char*>(base);
  plan.begin = begin;
  plan.end = end;
  plan.words = static_cast<std::atomic<uint32_t>*>(words);
  // The first half of the slots is used by _ring.py.
  plan.first_slot = slots / 2;
  plan.slots = slots / 2;
  return new (std::nothrow) WorkerArena(plan);
}

__attribute__((visibility("default"))) const NumpyHandler* pt_arena_handler(
    WorkerArena* arena, const NumpyHandler* before) {
  return arena->Handler(before);
}

// A slot, or -1.
__attribute__((visibility("default"))) int64_t pt_arena_send(WorkerArena* arena, uint64_t offset,
                                                             uint64_t size) {
  const std::optional<uint32_t> slot = arena->Send(offset, size);
  return slot ? static_cast<int64_t>(*slot) : -1;
}

__attribute__((visibility("default"))) int pt_arena_is_held(WorkerArena* arena, uint32_t slot) {
  return arena->IsHeld(slot) ? 1 : 0;
}

__attribute__((visibility("default"))) void pt_arena_unsend(WorkerArena* arena, uint32_t slot) {
  arena->Unsend(slot);
}

__attribute__((visibility("default"))) void pt_arena_trim(WorkerArena* arena) { arena->Trim(); }

__attribute__((visibility("default"))) int pt_arena_needs_trim(WorkerArena* arena) {
  return arena->needs_trim() ? 1 : 0;
}

__attribute__((visibility("default"))) int pt_arena_make_private(WorkerArena* arena, int fd) {
  return arena->MakePrivate(fd) ? 1 : 0;
}

}  // extern "C"
