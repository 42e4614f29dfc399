#include "tensor/cuda_devices.h"

#include <algorithm>
#include <utility>

#include "base/copy_count.h"
#include "tensor/cuda_address.h"

namespace pt {
namespace {

// The driver's constants, as its ABI has them (cuda_headers_test.cc compares).
constexpr unsigned int kStreamNonBlocking = 1;
constexpr unsigned int kEventDisableTiming = 2;
constexpr unsigned int kHostAllocPortable = 1;
constexpr unsigned int kIpcLazyPeerAccess = 1;
constexpr int kAttributeDeviceOrdinal = 9;

}  // namespace

// Makes a device's context the thread's current one for a scope.
class CudaDevices::Current {
 public:
  Current(const CudaDriver& driver, const Device& device) : driver_(driver) {
    status_ = driver_.Check(driver_.ctx_push(device.context), "cuCtxPushCurrent");
  }
  ~Current() {
    CudaContext popped = nullptr;
    if (status_.ok()) driver_.ctx_pop(&popped);
  }
  Current(const Current&) = delete;
  Current& operator=(const Current&) = delete;
  const Status& status() const { return status_; }

 private:
  const CudaDriver& driver_;
  Status status_;
};

// A piece of a device's pool.
class PooledDeviceBlock final : public Block {
 public:
  PooledDeviceBlock(std::shared_ptr<CudaDevices> devices, DevicePool* pool, char* memory,
                    size_t size)
      : Block(memory, size), devices_(std::move(devices)), pool_(pool) {}
  ~PooledDeviceBlock() override { pool_->Give(data(), capacity()); }

 private:
  const std::shared_ptr<CudaDevices> devices_;  // owns the pool
  DevicePool* const pool_;
};

// Device memory of ours. Freeing waits for the work that uses it: the driver sees to that.
class DeviceBlock final : public Block {
 public:
  DeviceBlock(std::shared_ptr<CudaDevices> devices, int device, CudaAddress address, size_t size)
      : Block(PointerTo(address), size), devices_(std::move(devices)), device_(device) {}
  ~DeviceBlock() override { devices_->Free(device_, AddressOf(data())); }

 private:
  const std::shared_ptr<CudaDevices> devices_;
  const int device_;
};

namespace {

class PinnedBlock final : public Block {
 public:
  PinnedBlock(std::shared_ptr<CudaDevices> devices, SpacePool* pool, char* memory, size_t size)
      : Block(memory, size), devices_(std::move(devices)), pool_(pool) {}
  ~PinnedBlock() override { pool_->Give(data()); }

 private:
  const std::shared_ptr<CudaDevices> devices_;  // owns the pool
  SpacePool* const pool_;
};

}  // namespace

// A copy under way: an event behind it on the stream.
class CudaCopy final : public PendingCopy {
 public:
  CudaCopy(std::shared_ptr<CudaDevices> devices, CudaEvent event, std::vector<BlockRef> keep)
      : devices_(std::move(devices)), event_(event), keep_(std::move(keep)) {}
  ~CudaCopy() override {
    [[maybe_unused]] const Status ended = Wait();  // before the bytes' owner may go
    devices_->driver_.event_destroy(event_);
  }

  Status Wait() override {
    const CudaDriver& driver = devices_->driver_;
    return driver.Check(driver.event_synchronize(event_), "cuEventSynchronize");
  }

 private:
  const std::shared_ptr<CudaDevices> devices_;
  const CudaEvent event_;
  const std::vector<BlockRef> keep_;
};

Result<std::shared_ptr<CudaDevices>> CudaDevices::Open(const CudaOptions& options) {
  PT_ASSIGN_OR_RETURN(const CudaDriver driver, CudaDriver::Open(options.library));
  int count = 0;
  Status status = driver.Check(driver.init(0), "cuInit");
  if (status.ok()) status = driver.Check(driver.device_get_count(&count), "cuDeviceGetCount");
  if (!status.ok()) return Unavailable(status.message());
  if (count <= 0) return Unavailable("expected a CUDA device, got none");
  return std::shared_ptr<CudaDevices>(new CudaDevices(driver, options, count));
}

CudaDevices::CudaDevices(const CudaDriver& driver, const CudaOptions& options, int count)
    : driver_(driver),
      options_(options),
      count_(count),
      devices_(static_cast<size_t>(count)),
      in_use_(static_cast<size_t>(count)),
      device_pools_(static_cast<size_t>(count)) {}

CudaDevices::~CudaDevices() {
  MutexLock lock(&mu_);
  for (size_t i = 0; i < devices_.size(); ++i) {
    const Device& device = devices_[i];
    if (device.context == nullptr) continue;
    {
      const Current current(driver_, device);
      if (pool_ != nullptr) driver_.mem_free_host(pool_->begin());
      pool_.reset();
      const DevicePool* const own = device_pools_[i].pool.get();
      if (own != nullptr) driver_.mem_free(AddressOf(own->begin()));
      driver_.stream_destroy(device.stream);
    }
    driver_.primary_ctx_release(device.ordinal);
  }
}

Status CudaDevices::Prepare(int ordinal, Device* device) {
  PT_RETURN_IF_ERROR(driver_.Check(driver_.device_get(&device->ordinal, ordinal), "cuDeviceGet"));
  CudaContext context = nullptr;
  PT_RETURN_IF_ERROR(driver_.Check(driver_.primary_ctx_retain(&context, device->ordinal),
                                   "cuDevicePrimaryCtxRetain"));
  Device made = *device;
  made.context = context;
  Status status;
  {
    const Current current(driver_, made);
    status = current.status();
    if (status.ok()) {
      status =
          driver_.Check(driver_.stream_create(&made.stream, kStreamNonBlocking), "cuStreamCreate");
    }
  }
  if (status.ok()) {
    *device = made;
  } else {
    driver_.primary_ctx_release(device->ordinal);
  }
  return status;
}

Result<CudaDevices::Device> CudaDevices::Use(int device) {
  if (device < 0 || device >= count_) {
    return InvalidArgument("expected a device id of 0 to " + std::to_string(count_ - 1) + ", got " +
                           std::to_string(device));
  }
  const auto index = static_cast<size_t>(device);
  const Device* const used = in_use_[index].load(std::memory_order_acquire);
  if (used != nullptr) return *used;
  MutexLock lock(&mu_);
  Device& found = devices_[index];
  if (found.context == nullptr) PT_RETURN_IF_ERROR(Prepare(device, &found));
  in_use_[index].store(&found, std::memory_order_release);
  return found;
}

Result<CudaAddress> CudaDevices::OpenHandle(int device, const CudaIpcHandle& handle) {
  PT_ASSIGN_OR_RETURN(const Device used, Use(device));
  const Current current(driver_, used);
  PT_RETURN_IF_ERROR(current.status());
  CudaAddress address = 0;
  PT_RETURN_IF_ERROR(driver_.Check(
      driver_.ipc_open_mem_handle(&address, handle, kIpcLazyPeerAccess), "cuIpcOpenMemHandle"));
  return address;
}

void CudaDevices::CloseHandle(int device, CudaAddress address) {
  const Result<Device> used = Use(device);
  if (!used.ok()) return;
  const Current current(driver_, *used);
  // What was begun on our stream with this memory must end before it is unmapped.
  driver_.stream_synchronize(used->stream);
  driver_.ipc_close_mem_handle(address);
}

Result<CudaIpcHandle> CudaDevices::MakeHandle(int device, CudaAddress address) {
  PT_ASSIGN_OR_RETURN(const Device used, Use(device));
  const Current current(driver_, used);
  PT_RETURN_IF_ERROR(current.status());
  CudaIpcHandle handle;
  PT_RETURN_IF_ERROR(
      driver_.Check(driver_.ipc_get_mem_handle(&handle, address), "cuIpcGetMemHandle"));
  return handle;
}

Result<uint64_t> CudaDevices::BytesFrom(int device, CudaAddress address) {
  PT_ASSIGN_OR_RETURN(const Device used, Use(device));
  const Current current(driver_, used);
  PT_RETURN_IF_ERROR(current.status());
  CudaAddress begin = 0;
  size_t size = 0;
  PT_RETURN_IF_ERROR(
      driver_.Check(driver_.mem_get_address_range(&begin, &size, address), "cuMemGetAddressRange"));
  const uint64_t skipped = address - begin;
  return skipped <= size ? size - skipped : uint64_t{0};
}

Result<int> CudaDevices::DeviceOf(CudaAddress address) {
  int device = 0;
  PT_RETURN_IF_ERROR(
      driver_.Check(driver_.pointer_get_attribute(&device, kAttributeDeviceOrdinal, address),
                    "cuPointerGetAttribute"));
  return device;
}

Result<BlockRef> CudaDevices::Allocate(int device, size_t size) {
  PT_ASSIGN_OR_RETURN(const Device used, Use(device));
  DevicePool* const pool = PoolOf(device, used);
  char* const memory = pool == nullptr ? nullptr : pool->Take(size);
  if (memory != nullptr) {
    return BlockRef(new PooledDeviceBlock(shared_from_this(), pool, memory, size));
  }
  const Current current(driver_, used);
  PT_RETURN_IF_ERROR(current.status());
  CudaAddress address = 0;
  const size_t at_least = std::max<size_t>(size, 1);
  PT_RETURN_IF_ERROR(driver_.Check(driver_.mem_alloc(&address, at_least), "cuMemAlloc"));
  return BlockRef(new DeviceBlock(shared_from_this(), device, address, size));
}

void CudaDevices::Free(int device, CudaAddress address) {
  const Result<Device> used = Use(device);
  if (!used.ok()) return;
  const Current current(driver_, *used);
  driver_.mem_free(address);
}

Status CudaDevices::AwaitDevice(int device) {
  PT_ASSIGN_OR_RETURN(const Device used, Use(device));
  const Current current(driver_, used);
  PT_RETURN_IF_ERROR(current.status());
  return driver_.Check(driver_.ctx_synchronize(), "cuCtxSynchronize");
}

DevicePool* CudaDevices::PoolOf(int device, const Device& used) {
  MutexLock lock(&mu_);
  PoolPlace& place = device_pools_[static_cast<size_t>(device)];
  if (std::exchange(place.has_tried, true)) return place.pool.get();
  const auto own = options_.device_bytes_of.find(device);
  const size_t size = own == options_.device_bytes_of.end() ? options_.device_bytes : own->second;
  if (size < SpacePool::kAlignment) return nullptr;
  const Current current(driver_, used);
  CudaAddress address = 0;
  const Status status = driver_.Check(driver_.mem_alloc(&address, size), "cuMemAlloc");
  if (status.ok()) {
    place.pool = std::make_unique<DevicePool>(PointerTo<char>(address), size,
                                              [this, device] { return AwaitDevice(device); });
  } else {
    PT_LOG(options_.logger, kWarning,
           "expected a memory pool of " + std::to_string(size) + " bytes on GPU " +
               std::to_string(device) + ", got none: " + status.message());
  }
  return place.pool.get();
}

DevicePoolCounters CudaDevices::pool_counters() const {
  DevicePoolCounters sum;
  MutexLock lock(&mu_);
  for (const PoolPlace& place : device_pools_) {
    if (place.pool == nullptr) continue;
    const DevicePoolCounters own = place.pool->counters();
    sum.total_bytes += own.total_bytes;
    sum.used_bytes += own.used_bytes;
    sum.taken += own.taken;
    sum.refused += own.refused;
    sum.waits += own.waits;
  }
  return sum;
}

DevicePoolCounters CudaDevices::pinned_counters() const {
  DevicePoolCounters counters;
  MutexLock lock(&mu_);
  if (pool_ == nullptr) return counters;
  counters.total_bytes = pool_->size();
  counters.used_bytes = pool_->used_bytes();
  return counters;
}

SpacePool* CudaDevices::Pool() {
  MutexLock lock(&mu_);
  if (std::exchange(has_tried_pool_, true) || options_.pinned_bytes == 0) return pool_.get();
  const auto device = std::find_if(devices_.begin(), devices_.end(),
                                   [](const Device& d) { return d.context != nullptr; });
  if (device == devices_.end()) {  // nothing to stage yet
    has_tried_pool_ = false;
    return nullptr;
  }
  const Current current(driver_, *device);
  void* memory = nullptr;
  const Status status = driver_.Check(
      driver_.mem_host_alloc(&memory, options_.pinned_bytes, kHostAllocPortable), "cuMemHostAlloc");
  if (status.ok()) {
    pool_ = std::make_unique<SpacePool>(static_cast<char*>(memory), options_.pinned_bytes);
  } else {
    PT_LOG(options_.logger, kWarning,
           "Unable to allocate pinned system memory, pinned memory pool will not be available: " +
               status.message());
  }
  return pool_.get();
}

BlockRef CudaDevices::AllocatePinned(size_t size, BlockPool* fallback) {
  SpacePool* const pool = Pool();
  char* const memory = pool == nullptr ? nullptr : pool->Take(size);
  if (memory == nullptr) return fallback->Allocate(size);
  return BlockRef(new PinnedBlock(shared_from_this(), pool, memory, size));
}

Result<RefPtr<PendingCopy>> CudaDevices::StartCopy(int device, const CudaTransfer& transfer,
                                                   std::vector<BlockRef> keep) {
  PT_ASSIGN_OR_RETURN(const Device used, Use(device));
  const Current current(driver_, used);
  PT_RETURN_IF_ERROR(current.status());
  CudaEvent event = nullptr;
  PT_RETURN_IF_ERROR(
      driver_.Check(driver_.event_create(&event, kEventDisableTiming), "cuEventCreate"));
  // From here on the copy owns the event.
  auto copy = MakeRef<CudaCopy>(shared_from_this(), event, std::move(keep));
  if (transfer.size > 0) {
    PT_RETURN_IF_ERROR(
        driver_.Check(driver_.memcpy_async(transfer.to, transfer.from, transfer.size, used.stream),
                      "cuMemcpyAsync"));
  }
  CountCopy(transfer.size);
  const Status recorded = driver_.Check(driver_.event_record(event, used.stream), "cuEventRecord");
  if (!recorded.ok()) {
    driver_.stream_synchronize(used.stream);  // nothing else tells when the copy has ended
    return recorded;
  }
  return RefPtr<PendingCopy>(std::move(copy));
}

Status CudaDevices::Copy(int device, const CudaTransfer& transfer) {
  PT_ASSIGN_OR_RETURN(const RefPtr<PendingCopy> copy, StartCopy(device, transfer, {}));
  return copy->Wait();
}

Result<uint64_t> CudaDevices::StreamNumber(int device) {
  PT_ASSIGN_OR_RETURN(const Device used, Use(device));
  return static_cast<uint64_t>(AddressOf(used.stream));
}

Status CudaDevices::AwaitStream(int device, uint64_t stream) {
  PT_ASSIGN_OR_RETURN(const Device used, Use(device));
  const Current current(driver_, used);
  PT_RETURN_IF_ERROR(current.status());
  auto* const waited = PointerTo<CudaStreamObject>(stream);
  return driver_.Check(driver_.stream_synchronize(waited), "cuStreamSynchronize");
}

}  // namespace pt
