// CudaRegion: device memory of a client, opened by its IPC handle: once, at registration.
//
// data() is a device address: nothing on the host may touch it. The client must keep the memory
// allocated while it is registered; unlike POSIX memory, the driver cannot tell whether it is.
// Thread rule: as Region.
#pragma once

#include <memory>
#include <string>

#include "tensor/cuda_devices.h"
#include "tensor/region.h"

namespace pt {

struct CudaRegionSpec {
  std::string name;
  std::string handle;  // the bytes of a cudaIpcMemHandle_t
  int64_t device = 0;
  uint64_t byte_size = 0;
};

class CudaRegion final : public Region {
 public:
  // Errors: InvalidArgument for a handle of the wrong size, an unknown device, a handle that the
  // driver does not take, or a size that is 0 or more than the allocation has.
  static Result<RefPtr<CudaRegion>> Open(CudaRegionSpec spec, std::shared_ptr<CudaDevices> devices);
  ~CudaRegion() override;

  int device() const { return device_; }
  CudaDevices& devices() const { return *devices_; }

  // Begins a copy to page-locked memory.
  Result<RegionBytes> Read(uint64_t offset, uint64_t size, BlockPool* pool) override;
  Result<Slice> Snapshot(uint64_t offset, uint64_t size, BlockPool* pool) override;
  // `bytes` may lie on the host or on any device; from a device they don't pass the host.
  Status Write(uint64_t offset, std::string_view bytes) override;
  Status CheckIntact(uint64_t offset, uint64_t size) const override { return {}; }

 private:
  CudaRegion(CudaRegionSpec spec, std::shared_ptr<CudaDevices> devices, CudaAddress address);
  CudaAddress At(uint64_t offset) const { return address_ + offset; }

  const std::shared_ptr<CudaDevices> devices_;
  const int device_;
  const CudaAddress address_;
};

// A device's bytes in page-locked host memory, under way. Errors: as CudaDevices::StartCopy;
// Unavailable without memory.
Result<RegionBytes> StageFromDevice(CudaDevices* devices, int device, const Slice& bytes,
                                    BlockPool* pool);

}  // namespace pt
