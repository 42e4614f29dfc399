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
#include <memory>
#include <string>
#include <vector>

#include "base/block.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/status.h"
#include "tensor/cuda_driver.h"
#include "tensor/pinned_pool.h"
#include "tensor/region.h"

namespace pt {

struct CudaOptions {
  std::string library = CudaDriver::DefaultLibrary();
  size_t pinned_bytes = size_t{256} << 20;  // of the staging pool; 0: none
  Logger* logger = nullptr;                 // outlives the devices, or null
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

  // A block of device memory of our own: data() is a device address.
  Result<BlockRef> Allocate(int device, size_t size);
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

  CudaDevices(const CudaDriver& driver, const CudaOptions& options, int count);
  // Makes context and stream at the first use.
  Result<Device> Use(int device) EXCLUDES(mu_);
  Status Prepare(int ordinal, Device* device) REQUIRES(mu_);
  PinnedPool* Pool() EXCLUDES(mu_);  // null: none
  void Free(int device, CudaAddress address);

  const CudaDriver driver_;
  const size_t pinned_bytes_;
  Logger* const logger_;
  const int count_;
  Mutex mu_;  // held while a device is prepared: whoever needs it has to wait for that anyway
  std::vector<Device> devices_ GUARDED_BY(mu_);  // never grows
  // Those in use, to be found without the lock. They don't change any more.
  std::vector<std::atomic<const Device*>> in_use_;
  std::unique_ptr<PinnedPool> pool_ GUARDED_BY(mu_);
  bool has_tried_pool_ GUARDED_BY(mu_) = false;
};

}  // namespace pt
