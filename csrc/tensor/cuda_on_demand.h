// CudaOnDemand: the machine's devices, looked for when they are first needed and only once: most
// servers need none, and a context costs hundreds of megabytes of device memory.
//
// Thread rule: thread-safe. Owner rule: what it gave may outlive it.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "base/mutex.h"
#include "tensor/cuda_devices.h"

namespace pt {

class CudaOnDemand {
 public:
  explicit CudaOnDemand(CudaOptions options) : options_(std::move(options)) {}

  // Whether there is a driver that could be asked; no device is touched.
  bool is_installed() const { return CudaDriver::Open(options_.library).ok(); }
  // Errors: as CudaDevices::Open, the same at each call.
  Result<std::shared_ptr<CudaDevices>> Get() EXCLUDES(mu_) {
    MutexLock lock(&mu_);  // held while the driver is loaded: all others need what comes of it
    if (!opened_) opened_ = CudaDevices::Open(options_);
    return *opened_;
  }

  // Null when nobody has needed them yet, or there are none.
  std::shared_ptr<CudaDevices> Opened() const EXCLUDES(mu_) {
    MutexLock lock(&mu_);
    return opened_ && opened_->ok() ? **opened_ : nullptr;
  }
  // How many devices there are; no context is made. Errors: as Get.
  Result<int> Count() EXCLUDES(mu_) {
    PT_ASSIGN_OR_RETURN(const std::shared_ptr<CudaDevices> devices, Get());
    return devices->count();
  }

 private:
  const CudaOptions options_;
  mutable Mutex mu_;
  std::optional<Result<std::shared_ptr<CudaDevices>>> opened_ GUARDED_BY(mu_);
};

}  // namespace pt
