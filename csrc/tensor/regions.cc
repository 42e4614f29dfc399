#include "tensor/regions.h"

#include <sys/resource.h>

#include <algorithm>
#include <utility>

namespace pt {
namespace {

constexpr size_t kMaxName = 1024;
constexpr size_t kMostRegions = 65536;
constexpr size_t kFewestRegions = 64;

std::string Quoted(std::string_view name) { return "'" + std::string(name) + "'"; }

}  // namespace

std::string_view RegionKindName(RegionKind kind) {
  return kind == RegionKind::kSystem ? "system" : "CUDA";
}

RegionTable::RegionTable(size_t max_regions, CudaSource cuda)
    : max_regions_(max_regions), cuda_(std::move(cuda)) {}

size_t RegionTable::DefaultLimit() {
  struct rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return kFewestRegions;
  const auto quarter = static_cast<size_t>(limit.rlim_cur / 4);
  return std::clamp(quarter, kFewestRegions, kMostRegions);
}

Status RegionTable::CheckFree(const std::string& name) const {
  if (regions_.find(name) != regions_.end()) {
    return AlreadyExists("shared memory region " + Quoted(name) + " already in manager");
  }
  if (regions_.size() < max_regions_) return {};
  return Unavailable("expected at most " + std::to_string(max_regions_) +
                     " registered shared memory regions, got one more");
}

Status RegionTable::Register(const std::string& name, const Opener& open) {
  if (name.empty() || name.size() > kMaxName) {
    return InvalidArgument("expected a shared memory region name of 1 to " +
                           std::to_string(kMaxName) + " bytes, got " + std::to_string(name.size()));
  }
  {
    MutexLock lock(&mu_);
    PT_RETURN_IF_ERROR(CheckFree(name));
  }
  // Opening is system calls: not under the lock. Whoever comes second finds the name taken.
  PT_ASSIGN_OR_RETURN(RegionRef region, open());
  MutexLock lock(&mu_);
  PT_RETURN_IF_ERROR(CheckFree(name));
  regions_.emplace(name, std::move(region));
  return {};
}

Status RegionTable::RegisterSystem(ShmRegionSpec spec) {
  const std::string name = spec.name;
  return Register(name, [&]() -> Result<RegionRef> {
    PT_ASSIGN_OR_RETURN(RefPtr<ShmRegion> region, ShmRegion::Open(std::move(spec)));
    return RegionRef(std::move(region));
  });
}

Status RegionTable::RegisterCuda(CudaRegionSpec spec) {
  const std::string name = spec.name;
  return Register(name, [&]() -> Result<RegionRef> {
    Result<std::shared_ptr<CudaDevices>> devices = Unavailable("there is no driver");
    if (cuda_) devices = cuda_();
    if (!devices.ok()) {
      return Unsupported("failed to register CUDA shared memory region: '" + name +
                         "', GPUs not supported: " + devices.status().message());
    }
    PT_ASSIGN_OR_RETURN(RefPtr<CudaRegion> region,
                        CudaRegion::Open(std::move(spec), std::move(devices).value()));
    return RegionRef(std::move(region));
  });
}

void RegionTable::Unregister(RegionKind kind, std::string_view name) {
  std::vector<RegionRef> dropped;  // unmapped after the lock was given back
  MutexLock lock(&mu_);
  auto it = name.empty() ? regions_.begin() : regions_.find(name);
  while (it != regions_.end()) {
    const bool is_meant = it->second->kind() == kind;
    if (is_meant) dropped.push_back(std::move(it->second));
    it = is_meant ? regions_.erase(it) : std::next(it);
    if (!name.empty()) return;
  }
}

Result<std::vector<RegionRef>> RegionTable::List(RegionKind kind, std::string_view name) const {
  std::vector<RegionRef> found;
  MutexLock lock(&mu_);
  if (name.empty()) {
    for (const auto& [key, region] : regions_) {
      if (region->kind() == kind) found.push_back(region);
    }
    return found;
  }
  const auto it = regions_.find(name);
  if (it == regions_.end()) {
    return NotFound("Unable to find " +
                    std::string(kind == RegionKind::kSystem ? "system" : "cuda") +
                    " shared memory region: " + Quoted(name));
  }
  if (it->second->kind() != kind) {
    return NotFound("The region named " + Quoted(name) + " is registered as " +
                    std::string(RegionKindName(it->second->kind())) + " shared memory, not " +
                    std::string(RegionKindName(kind)) + " shared memory");
  }
  found.push_back(it->second);
  return found;
}

Result<RegionRef> RegionTable::Find(std::string_view name) const {
  MutexLock lock(&mu_);
  const auto it = regions_.find(name);
  if (it != regions_.end()) return it->second;
  return NotFound("Unable to find shared memory region: " + Quoted(name));
}

}  // namespace pt
