// Region: memory of another process that a client registered under a name. It is a Block: whoever
// holds a slice of it keeps it mapped, so taking a name away never unmaps bytes under a request.
//
// The client may write to it, shrink or unlink it at any time. Reading what it writes meanwhile
// gives whatever is there; CheckIntact tells after a use whether the bytes were there at all.
// Thread rule: thread-safe. Owner rule: counted, like any Block.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/block.h"
#include "base/status.h"

namespace pt {

enum class RegionKind { kSystem, kCuda };

// Bytes on their way, such as from a device: they are there once Wait has returned.
class PendingCopy : public RefCounted {
 public:
  // Idempotent; any thread. Errors: what kept the bytes from coming.
  virtual Status Wait() = 0;
};

// What reading a region gives. The bytes may be used only when `pending` is null or has been waited
// for; whoever drops it sooner waits then.
struct RegionBytes {
  Slice bytes;
  RefPtr<PendingCopy> pending;
};

class Region : public Block {
 public:
  const std::string& name() const { return name_; }
  RegionKind kind() const { return kind_; }
  uint64_t byte_size() const { return capacity(); }
  bool is_client_memory() const override { return true; }

  // Errors: InvalidArgument when the range is not inside the region.
  Status CheckRange(uint64_t offset, uint64_t size) const;
  // The bytes of a range, for reading only: in place where that is safe, else copied into a block
  // of `pool`. Errors: as CheckRange and CheckIntact; Unavailable without memory.
  virtual Result<RegionBytes> Read(uint64_t offset, uint64_t size, BlockPool* pool) = 0;
  // A copy that the client can't change any more.
  virtual Result<Slice> Snapshot(uint64_t offset, uint64_t size, BlockPool* pool) = 0;
  // Writes to the region. Errors: as Read; what was written then is undefined.
  virtual Status Write(uint64_t offset, std::string_view bytes) = 0;
  // The range itself, wherever it lies: of a CUDA region, `data` is a device address. Errors: as
  // CheckRange.
  Result<Slice> InPlace(uint64_t offset, uint64_t size);
  // InvalidArgument when the client took the range away since it registered it.
  virtual Status CheckIntact(uint64_t offset, uint64_t size) const = 0;

 protected:
  Region(std::string name, RegionKind kind, char* data, size_t byte_size)
      : Block(data, byte_size), name_(std::move(name)), kind_(kind) {}

 private:
  const std::string name_;
  const RegionKind kind_;
};

using RegionRef = RefPtr<Region>;

// The region that a slice lies in, or null.
inline const Region* RegionOf(const Slice& slice) {
  const Block* const owner = slice.owner.get();
  const bool is_region = owner != nullptr && owner->is_client_memory();
  return is_region ? static_cast<const Region*>(owner) : nullptr;
}

}  // namespace pt
