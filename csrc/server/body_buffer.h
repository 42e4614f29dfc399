// BodyBuffer: a request body that did not come in one piece with its head: received or decoded
// straight into one block, shifted so that the byte the api names lies on a 64-byte boundary.
//
// Thread rule: belongs to its connection's loop. Owner rule: the block is handed on by Take.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/block.h"
#include "base/status.h"
#include "server/limits.h"

namespace pt::server {

class BodyBuffer {
 public:
  BodyBuffer(BlockPool* pool, MemoryBudget* budget, uint64_t align_offset)
      : pool_(pool), budget_(budget), shift_(ShiftFor(align_offset)) {}
  ~BodyBuffer() { budget_->Return(claimed_); }
  BodyBuffer(const BodyBuffer&) = delete;
  BodyBuffer& operator=(const BodyBuffer&) = delete;

  // Room for `size` bytes in all; what is there is kept. Errors: Unavailable when the bodies under
  // way take all they may, or the system has no memory.
  Status Reserve(uint64_t size);
  // Appends; grows as needed. Errors: as for Reserve.
  Status Append(std::string_view bytes);

  char* tail() const { return block_->data() + shift_ + size_; }
  void Advance(size_t count) { size_ += count; }
  uint64_t size() const { return size_; }

  // The bytes. The claim on the budget goes to the caller, who returns *claimed when the call has
  // ended.
  Slice Take(uint64_t* claimed);

 private:
  static size_t ShiftFor(uint64_t align_offset) { return (64 - align_offset % 64) % 64; }

  BlockPool* const pool_;
  MemoryBudget* const budget_;
  const size_t shift_;
  BlockRef block_;
  uint64_t capacity_ = 0;
  uint64_t size_ = 0;
  uint64_t claimed_ = 0;
};

}  // namespace pt::server
