// CudaDevices: the GPUs of this machine as the server uses them: one primary context and one stream
// a device, made when the device is first needed; memory, handles of other processes' memory, and
// copies between any two places, each of which may be on a device or on the host.
//
// Copies are asynchronous: whoever needs their end waits for the CudaCopy that stands for it.
// Thread rule: thread-safe; a caller's own current context is left as it was.
// Owner rule: shared, because regions, blocks and copies may outlive the server that made them.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/block.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/status.h"
#include "tensor/cuda_driver.h"
#include "tensor/device_pool.h"
#include "tensor/region.h"
#include "tensor/space_pool.h"

namespace pt {

struct CudaOptions {
  std::string library = CudaDriver::DefaultLibrary();
  size_t pinned_bytes = size_t{256} << 20;  // of the staging pool; 0: none
  // Of each device's pool; 0: none. Memory whose handle other processes are told must not be of a
  // pool: a handle stands for the whole of an allocation.
  size_t device_bytes = 0;
  std::map<int, size_t> device_bytes_of;  // the same of one device
  Logger* logger = nullptr;               // outlives the devices, or null
};

// What a copy moves. Both ends may be on any device or on the host.
struct CudaTransfer {
  CudaAddress to = 0;
  CudaAddress from = 0;
  size_t size = 0;
};

class CudaDevices : public std::enable_shared_from_this<CudaDevices> {
 public:
  // Errors: Unavailable without a driver or without a device, with the reason.
  static Result<std::shared_ptr<CudaDevices>> Open(const CudaOptions& options);
  ~CudaDevices();
  CudaDevices(const CudaDevices&) = delete;
  CudaDevices& operator=(const CudaDevices&) = delete;

  int count() const { return count_; }

  // All of the following: InvalidArgument when there is no such device, Internal with the driver's
  // own words otherwise.

  // The address of memory that another process exported; CloseHandle gives it back.
  Result<CudaAddress> OpenHandle(int device, const CudaIpcHandle& handle);
  void CloseHandle(int device, CudaAddress address);
  // A handle for memory of this process.
  Result<CudaIpcHandle> MakeHandle(int device, CudaAddress address);
  // How many bytes of its allocation lie at and behind an address.
  Result<uint64_t> BytesFrom(int device, CudaAddress address);
  // On which device an address is.
  Result<int> DeviceOf(CudaAddress address);

  // A block of device memory of our own: data() is a device address. Of the device's pool while
  // that has room.
  Result<BlockRef> Allocate(int device, size_t size);
  // Of all devices' pools together; zeros before one is made.
  DevicePoolCounters pool_counters() const EXCLUDES(mu_);
  // The same of page-locked memory; only bytes are counted.
  DevicePoolCounters pinned_counters() const EXCLUDES(mu_);
  // A block of page-locked host memory; one of `fallback` where the pool is full or there is none.
  // Null without memory.
  BlockRef AllocatePinned(size_t size, BlockPool* fallback);

  // Begins a copy on the device's stream. What is kept lives until it has ended.
  Result<RefPtr<PendingCopy>> StartCopy(int device, const CudaTransfer& transfer,
                                        std::vector<BlockRef> keep);
  // Copies, and waits for the end of it.
  Status Copy(int device, const CudaTransfer& transfer);
  // The device's stream as a number, for those who order their work before ours (DLPack).
  Result<uint64_t> StreamNumber(int device);
  // Waits for the work that somebody else's stream holds now.
  Status AwaitStream(int device, uint64_t stream);

 private:
  friend class CudaCopy;
  friend class DeviceBlock;
  class Current;
  struct Device {
    CudaOrdinal ordinal = 0;
    CudaContext context = nullptr;  // null: not in use yet
    CudaStream stream = nullptr;
  };
  // Null: none, because it is not wanted or could not be made.
  struct PoolPlace {
    std::unique_ptr<DevicePool> pool;
    bool has_tried = false;
  };

  CudaDevices(const CudaDriver& driver, const CudaOptions& options, int count);
  // Makes context and stream at the first use.
  Result<Device> Use(int device) EXCLUDES(mu_);
  Status Prepare(int ordinal, Device* device) REQUIRES(mu_);
  SpacePool* Pool() EXCLUDES(mu_);                                   // null: none
  DevicePool* PoolOf(int device, const Device& used) EXCLUDES(mu_);  // as Pool
  void Free(int device, CudaAddress address);
  Status AwaitDevice(int device);

  const CudaDriver driver_;
  const CudaOptions options_;
  const int count_;
  // Held while a device is prepared: whoever needs it has to wait for that anyway.
  mutable Mutex mu_;
  std::vector<Device> devices_ GUARDED_BY(mu_);  // never grows
  // Those in use, to be found without the lock. They don't change any more.
  std::vector<std::atomic<const Device*>> in_use_;
  std::unique_ptr<SpacePool> pool_ GUARDED_BY(mu_);
  bool has_tried_pool_ GUARDED_BY(mu_) = false;
  std::vector<PoolPlace> device_pools_ GUARDED_BY(mu_);  // never grows
};

}  // namespace pt
