#include "wire/http2_memory.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <limits>

#include "base/cells.h"

namespace pt::wire {
namespace {

// Before each piece: its size, which `free` is not told.
struct alignas(std::max_align_t) Head {
  size_t size;
};

void* Take(size_t size, void*) {
  if (size > std::numeric_limits<size_t>::max() - sizeof(Head)) return nullptr;
  void* const cell = TryTakeCell(sizeof(Head) + size);
  if (cell == nullptr) return nullptr;
  Head* const head = static_cast<Head*>(cell);
  head->size = size;
  return head + 1;
}

void Give(void* memory, void*) {
  if (memory == nullptr) return;
  Head* const head = static_cast<Head*>(memory) - 1;
  GiveCell(head, sizeof(Head) + head->size);
}

void* TakeZeroed(size_t count, size_t size, void* user) {
  if (size != 0 && count > std::numeric_limits<size_t>::max() / size) return nullptr;
  void* const memory = Take(count * size, user);
  if (memory != nullptr) std::memset(memory, 0, count * size);
  return memory;
}

void* Resize(void* memory, size_t size, void* user) {
  void* const moved = Take(size, user);
  if (moved == nullptr || memory == nullptr) return moved;
  const size_t old_size = (static_cast<const Head*>(memory) - 1)->size;
  std::memcpy(moved, memory, std::min(old_size, size));
  Give(memory, user);
  return moved;
}

}  // namespace

int NewServerSession(nghttp2_session** session, const nghttp2_session_callbacks* callbacks,
                     void* user, const nghttp2_option* option) {
  nghttp2_mem memory{nullptr, Take, Give, TakeZeroed, Resize};  // copied
  return nghttp2_session_server_new3(session, callbacks, user, option, &memory);
}

}  // namespace pt::wire
