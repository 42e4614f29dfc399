// ReadArena and ReadBuffer: where received bytes lie until they are parsed, so that requests are
// parsed in place and their bodies handed on as Slices.
//
// All connections of a loop receive into the arena's block; a connection that is left with a part
// of a message moves it into a block of its own. An idle connection therefore holds no memory at
// all.
//
// Thread rule: loop driver only (Slices that were taken may go anywhere).
// Owner rule: the loop's context owns the arena, each connection its ReadBuffer.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/block.h"

namespace pt::net {

class ReadArena {
 public:
  static constexpr size_t kBlockSize = 64 << 10;
  static constexpr size_t kMinRoom = 16 << 10;

  explicit ReadArena(BlockPool* pool) : pool_(pool) {}

  BlockPool& pool() const { return *pool_; }
  // Gives the block back.
  void Reset() { block_.Reset(); }

 private:
  friend class ReadBuffer;
  // A block with at least kMinRoom bytes after used_. False without memory.
  bool MakeRoom();

  BlockPool* const pool_;
  BlockRef block_;
  size_t used_ = 0;  // bytes at the front that a Slice or a ReadBuffer may still point into
};

class ReadBuffer {
 public:
  explicit ReadBuffer(ReadArena* arena) : arena_(arena) {}

  // Where the next bytes go: `*room` of them at most. Null without memory.
  char* Prepare(size_t* room);
  // `count` bytes were written there.
  void Commit(size_t count);
  // Call after the bytes were parsed: gives back what is not used any more.
  void Settle();

  // What was received and not consumed; valid until the next Prepare.
  std::string_view bytes() const { return {data_ + begin_, end_ - begin_}; }
  bool empty() const { return begin_ == end_; }
  void Consume(size_t count) { begin_ += count; }
  // A Slice on bytes of this buffer (anywhere inside bytes(), consumed since Prepare or not).
  Slice SliceAt(const char* data, size_t count) const { return {block_, data, count}; }
  // Forgets everything.
  void Clear();

 private:
  bool MoveToOwnBlock();

  ReadArena* const arena_;
  BlockRef block_;        // the arena's block, or one of its own
  char* data_ = nullptr;  // start of block_
  size_t begin_ = 0;
  size_t end_ = 0;
  bool is_own_ = false;
};

}  // namespace pt::net
