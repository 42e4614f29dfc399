#include "tensor/cuda_region.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "tensor/cuda_address.h"

namespace pt {
namespace {

// In Triton's words; the reason goes behind them.
Status CannotRegister(const CudaRegionSpec& spec, const std::string& reason) {
  return InvalidArgument("failed to register shared memory region '" + spec.name +
                         "': invalid args" + (reason.empty() ? "" : ": " + reason));
}

}  // namespace

Result<RefPtr<CudaRegion>> CudaRegion::Open(CudaRegionSpec spec,
                                            std::shared_ptr<CudaDevices> devices) {
  if (spec.handle.size() != CudaIpcHandle::kSize) {
    return CannotRegister(spec, "expected a handle of " + std::to_string(CudaIpcHandle::kSize) +
                                    " bytes, got " + std::to_string(spec.handle.size()));
  }
  if (spec.device < 0 || spec.device >= devices->count()) {
    return CannotRegister(spec, "expected a device id of 0 to " +
                                    std::to_string(devices->count() - 1) + ", got " +
                                    std::to_string(spec.device));
  }
  CudaIpcHandle handle;
  std::memcpy(handle.bytes, spec.handle.data(), CudaIpcHandle::kSize);
  const int device = static_cast<int>(spec.device);
  const Result<CudaAddress> address = devices->OpenHandle(device, handle);
  if (!address.ok()) return CannotRegister(spec, address.status().message());
  const Result<uint64_t> available = devices->BytesFrom(device, *address);
  if (available.ok() && spec.byte_size > 0 && spec.byte_size <= *available) {
    return RefPtr<CudaRegion>(new CudaRegion(std::move(spec), std::move(devices), *address));
  }
  devices->CloseHandle(device, *address);
  return CannotRegister(spec, available.ok() ? "" : available.status().message());
}

CudaRegion::CudaRegion(CudaRegionSpec spec, std::shared_ptr<CudaDevices> devices,
                       CudaAddress address)
    : Region(std::move(spec.name), RegionKind::kCuda, PointerTo(address), spec.byte_size),
      devices_(std::move(devices)),
      device_(static_cast<int>(spec.device)),
      address_(address) {}

CudaRegion::~CudaRegion() { devices_->CloseHandle(device_, address_); }

Result<RegionBytes> CudaRegion::Read(uint64_t offset, uint64_t size, BlockPool* pool) {
  PT_ASSIGN_OR_RETURN(const Slice range, InPlace(offset, size));
  return StageFromDevice(devices_.get(), device_, range, pool);
}

Result<Slice> CudaRegion::Snapshot(uint64_t offset, uint64_t size, BlockPool* pool) {
  PT_ASSIGN_OR_RETURN(RegionBytes read, Read(offset, size, pool));
  PT_RETURN_IF_ERROR(read.pending->Wait());
  return std::move(read.bytes);
}

Status CudaRegion::Write(uint64_t offset, std::string_view bytes) {
  PT_RETURN_IF_ERROR(CheckRange(offset, bytes.size()));
  return devices_->Copy(device_, {At(offset), AddressOf(bytes.data()), bytes.size()});
}

Result<RegionBytes> StageFromDevice(CudaDevices* devices, int device, const Slice& bytes,
                                    BlockPool* pool) {
  BlockRef block = devices->AllocatePinned(std::max<size_t>(bytes.size, 1), pool);
  if (!block) {
    return Unavailable("no memory for " + std::to_string(bytes.size) + " bytes of a device");
  }
  const CudaTransfer transfer{AddressOf(block->data()), AddressOf(bytes.data), bytes.size};
  RegionBytes staged;
  staged.bytes = Slice(std::move(block), nullptr, bytes.size);
  staged.bytes.data = staged.bytes.owner->data();
  // Both ends must stay: the region's memory and the staging memory.
  PT_ASSIGN_OR_RETURN(staged.pending,
                      devices->StartCopy(device, transfer, {bytes.owner, staged.bytes.owner}));
  return staged;
}

}  // namespace pt
