#include "api/region_use.h"

#include <string>
#include <utility>

namespace pt::api {
namespace {

Result<RegionRef> FindRegion(const Service& service, const RegionWish& wish) {
  if (service.regions() == nullptr) return Unsupported(std::string(kNoClientMemory));
  PT_ASSIGN_OR_RETURN(RegionRef region, service.regions()->Find(wish.region));
  PT_RETURN_IF_ERROR(region->CheckRange(wish.offset, wish.byte_size));
  return region;
}

}  // namespace

Result<Slice> ReadRegion(const Service& service, const RegionWish& wish, DataType type,
                         BlockPool* pool, InferRequest* request) {
  PT_ASSIGN_OR_RETURN(const RegionRef region, FindRegion(service, wish));
  // Elements of BYTES say how long they are: a client must not change that after it was checked.
  if (type == DataType::kBytes) return region->Snapshot(wish.offset, wish.byte_size, pool);
  PT_ASSIGN_OR_RETURN(Slice bytes, region->Read(wish.offset, wish.byte_size, pool));
  if (bytes.owner.get() == region.get()) {
    request->regions.push_back({region, wish.offset, wish.byte_size});
  }
  return bytes;
}

Result<RegionTarget> FindTarget(const Service& service, const RegionWish& wish) {
  PT_ASSIGN_OR_RETURN(RegionRef region, FindRegion(service, wish));
  return RegionTarget{std::move(region), wish.offset, wish.byte_size};
}

Status WriteOutput(const RegionTarget& target, std::string_view name, const Slice& bytes) {
  if (bytes.size > target.byte_size) {
    return Internal("shared memory size specified with the request for output '" +
                    std::string(name) + "' (" + std::to_string(target.byte_size) +
                    " bytes) should be at least " + std::to_string(bytes.size) +
                    " bytes to hold the results");
  }
  return target.region->Write(target.offset, bytes.view());
}

}  // namespace pt::api
