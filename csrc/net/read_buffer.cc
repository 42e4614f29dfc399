#include "net/read_buffer.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/copy_count.h"

namespace pt::net {

bool ReadArena::MakeRoom() {
  if (block_ && block_->is_unique()) used_ = 0;  // nobody points into it any more
  if (block_ && block_->capacity() - used_ >= kMinRoom) return true;
  used_ = 0;
  block_ = pool_->Allocate(kBlockSize);
  return static_cast<bool>(block_);
}

char* ReadBuffer::Prepare(size_t* room) {
  if (empty() && !is_own_) {
    Clear();
    if (!arena_->MakeRoom()) return nullptr;
    block_ = arena_->block_;
    data_ = block_->data();
    begin_ = end_ = arena_->used_;
  } else if ((!is_own_ || block_->capacity() - end_ < ReadArena::kMinRoom / 4) &&
             !MoveToOwnBlock()) {
    return nullptr;
  }
  *room = block_->capacity() - end_;
  return data_ + end_;
}

void ReadBuffer::Commit(size_t count) {
  end_ += count;
  if (!is_own_) arena_->used_ = end_;
}

void ReadBuffer::Settle() {
  if (empty()) Clear();
}

void ReadBuffer::Clear() {
  block_.Reset();
  data_ = nullptr;
  begin_ = end_ = 0;
  is_own_ = false;
}

bool ReadBuffer::MoveToOwnBlock() {
  const std::string_view rest = bytes();
  // Twice what is there, so that a long message is copied a few times only, not with every read.
  BlockRef block = arena_->pool().Allocate(std::max(ReadArena::kMinRoom, 2 * rest.size()));
  if (!block) return false;
  if (!rest.empty()) std::memcpy(block->data(), rest.data(), rest.size());
  CountCopy(rest.size());
  block_ = std::move(block);
  data_ = block_->data();
  begin_ = 0;
  end_ = rest.size();
  is_own_ = true;
  return true;
}

}  // namespace pt::net
