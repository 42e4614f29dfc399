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
  virtual Result<Slice> Read(uint64_t offset, uint64_t size, BlockPool* pool) = 0;
  // A copy that the client can't change any more.
  virtual Result<Slice> Snapshot(uint64_t offset, uint64_t size, BlockPool* pool) = 0;
  // Writes to the region. Errors: as Read; what was written then is undefined.
  virtual Status Write(uint64_t offset, std::string_view bytes) = 0;
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

}  // namespace pt
