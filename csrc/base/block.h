// Block, Slice and BlockPool: host bytes with a counted owner, the currency between sockets,
// parsers and tensors. A Slice is a view that keeps its Block alive; nothing is copied to hand
// bytes on.
//
// Thread rule: Slice is a value; Blocks may be held and dropped by any thread; a BlockPool is
// thread-safe. Bytes of a Block are written only by whoever filled it, before it is shared.
// Owner rule: a BlockPool may be destroyed before its blocks; they are then freed instead of kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/cells.h"
#include "base/ref_counted.h"

namespace pt {

class SharedRegion;

class Block : public RefCounted {
 public:
  char* data() const { return data_; }
  size_t capacity() const { return capacity_; }
  // Whether a client owns the bytes and sees what is written to them: only for reading then.
  virtual bool is_client_memory() const { return false; }

 protected:
  Block(char* data, size_t capacity) : data_(data), capacity_(capacity) {}
  char* data_;
  size_t capacity_;
};

using BlockRef = RefPtr<Block>;

// Bytes and what keeps them alive. An empty owner means static or borrowed bytes.
struct Slice {
  BlockRef owner;
  const char* data = nullptr;
  size_t size = 0;

  Slice() = default;
  Slice(BlockRef o, const char* d, size_t n) : owner(std::move(o)), data(d), size(n) {}
  std::string_view view() const { return {data, size}; }
  bool empty() const { return size == 0; }
  // A part of this slice, sharing its owner. REQUIRES: offset + count <= size.
  Slice Sub(size_t offset, size_t count) const { return {owner, data + offset, count}; }
  // Bytes that live as long as the program.
  static Slice Static(std::string_view bytes) { return {nullptr, bytes.data(), bytes.size()}; }
  // Takes a string's bytes over without copying them.
  static Slice OfString(std::string bytes);
  // Copies the bytes into a block of their own (64-byte aligned).
  static Slice Copy(std::string_view bytes);
};

using SliceList = std::vector<Slice, CellAllocator<Slice>>;

size_t TotalSize(const SliceList& slices);
std::string Flatten(const SliceList& slices);

// A block of its own from the heap, 64-byte aligned, never pooled.
BlockRef NewBlock(size_t capacity);

// Keeps freed blocks by size class, so that hot sizes are neither asked from the system again nor
// faulted in again. Blocks of 2 MiB and more are 2 MiB aligned and ask for huge pages.
class BlockPool {
 public:
  // Blocks from this size on lie in the shared region, if there is one.
  static constexpr size_t kSharedBytes = size_t{32} << 10;

  // `keep_bytes`: how much freed memory is kept at most. `region`: where large blocks lie, so that
  // worker processes can map them; null: on the heap.
  explicit BlockPool(size_t keep_bytes = size_t{256} << 20,
                     std::shared_ptr<SharedRegion> region = nullptr);
  ~BlockPool();
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;

  // A block of at least `size` bytes, 64-byte aligned; contents undefined. Null only when the
  // system has no memory (the caller answers Unavailable).
  BlockRef Allocate(size_t size);

  // Null: large blocks lie on the heap.
  const std::shared_ptr<SharedRegion>& region() const;
  size_t live_blocks() const;
  size_t kept_bytes() const;
  // Gives kept memory back to the system (when idle).
  void Trim();

  struct Shared;

 private:
  std::shared_ptr<Shared> shared_;  // shared with the blocks, which may outlive the pool
};

}  // namespace pt
