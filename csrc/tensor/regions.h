// RegionTable: the regions that clients have registered, by name. One name space for all kinds.
//
// Thread rule: thread-safe; never blocks on more than opening one region.
// Owner rule: a region lives until it was unregistered and its last user has dropped it.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "tensor/cuda_region.h"
#include "tensor/region.h"
#include "tensor/shm_region.h"

namespace pt {

// "system" or "CUDA", as messages name the kinds.
std::string_view RegionKindName(RegionKind kind);

// Gives the devices, or says why there are none. May be called by any thread, again and again.
using CudaSource = std::function<Result<std::shared_ptr<CudaDevices>>()>;

class RegionTable {
 public:
  // Each region costs a descriptor and a mapping: clients may not take all of them. `cuda` is asked
  // when a client registers device memory; empty: there is none.
  explicit RegionTable(size_t max_regions = DefaultLimit(), CudaSource cuda = {});
  static size_t DefaultLimit();

  // Errors: AlreadyExists; InvalidArgument for an empty name; Unavailable when the table is full;
  // those of ShmRegion::Open.
  Status RegisterSystem(ShmRegionSpec spec) EXCLUDES(mu_);
  // Errors: as RegisterSystem, with those of CudaRegion::Open; Unsupported without a driver.
  Status RegisterCuda(CudaRegionSpec spec) EXCLUDES(mu_);

  // Takes a name away; an empty one: all names of that kind. What is in use stays until its last
  // use ends. A name that is unknown, or of the other kind, is no error: it is not registered.
  void Unregister(RegionKind kind, std::string_view name) EXCLUDES(mu_);

  // Sorted by name; an empty name: all of that kind. Errors: NotFound.
  Result<std::vector<RegionRef>> List(RegionKind kind, std::string_view name) const EXCLUDES(mu_);

  // Errors: NotFound.
  Result<RegionRef> Find(std::string_view name) const EXCLUDES(mu_);

 private:
  using Opener = std::function<Result<RegionRef>()>;
  Status Register(const std::string& name, const Opener& open) EXCLUDES(mu_);
  Status CheckFree(const std::string& name) const REQUIRES(mu_);

  const size_t max_regions_;
  const CudaSource cuda_;
  mutable Mutex mu_;
  std::map<std::string, RegionRef, std::less<>> regions_ GUARDED_BY(mu_);
};

}  // namespace pt
