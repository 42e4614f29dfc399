// ShmRegion: POSIX shared memory of a client, opened by its key.
//
// Keys are names of objects in /dev/shm, never paths: nothing else of the file system can be
// reached by one.
// Thread rule: as Region.
#pragma once

#include <optional>
#include <string>

#include "tensor/fault_guard.h"
#include "tensor/region.h"

namespace pt {

struct ShmRegionSpec {
  std::string name;
  std::string key;      // of shm_open, with or without a leading slash
  uint64_t offset = 0;  // where the region begins in the object; any byte
  uint64_t byte_size = 0;
};

class ShmRegion final : public Region {
 public:
  // Errors: InvalidArgument for a key that is none, a range that is empty or not inside the object;
  // Internal when there is no such object, or it may not be opened or mapped.
  static Result<RefPtr<ShmRegion>> Open(ShmRegionSpec spec);
  ~ShmRegion() override;

  const std::string& key() const { return key_; }
  uint64_t offset() const { return offset_; }

  Result<RegionBytes> Read(uint64_t offset, uint64_t size, BlockPool* pool) override;
  Result<Slice> Snapshot(uint64_t offset, uint64_t size, BlockPool* pool) override;
  Status Write(uint64_t offset, std::string_view bytes) override;
  Status CheckIntact(uint64_t offset, uint64_t size) const override;

 private:
  struct Mapping {
    int descriptor = -1;
    char* begin = nullptr;  // of the first page
    size_t size = 0;
    size_t skip = 0;  // from there to the region's first byte
  };

  ShmRegion(ShmRegionSpec spec, const Mapping& mapping);
  static Result<Mapping> Map(const ShmRegionSpec& spec, int descriptor);
  Status Truncated() const;

  const std::string key_;
  const uint64_t offset_;
  const Mapping mapping_;
  std::optional<Guarded> guarded_;  // empty once the mapping goes
};

}  // namespace pt
