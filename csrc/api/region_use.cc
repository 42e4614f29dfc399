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

// A model that takes this input as device memory.
bool WantsDevice(const RegionReader& reader) {
  const ModelConfig& config = reader.request->model().config();
  const int index = config.FindInput(reader.input);
  return index >= 0 && config.inputs[static_cast<size_t>(index)].device >= 0;
}

}  // namespace

Result<Slice> ReadRegion(const Service& service, const RegionWish& wish,
                         const RegionReader& reader) {
  PT_ASSIGN_OR_RETURN(const RegionRef region, FindRegion(service, wish));
  // Elements of BYTES say how long they are: a client must not change that after it was checked.
  if (reader.type == DataType::kBytes) {
    return region->Snapshot(wish.offset, wish.byte_size, reader.pool);
  }
  if (region->kind() == RegionKind::kCuda) {
    if (WantsDevice(reader)) return region->InPlace(wish.offset, wish.byte_size);
    if (reader.request->model().config().response_cache) {  // it looks at the bytes at once
      return region->Snapshot(wish.offset, wish.byte_size, reader.pool);
    }
  }
  PT_ASSIGN_OR_RETURN(RegionBytes read, region->Read(wish.offset, wish.byte_size, reader.pool));
  if (read.pending || read.bytes.owner.get() == region.get()) {
    reader.request->regions.push_back(
        {region, wish.offset, wish.byte_size, std::move(read.pending)});
  }
  return std::move(read.bytes);
}

Result<RegionTarget> FindTarget(const Service& service, const RegionWish& wish, int index,
                                InferRequest* request) {
  PT_ASSIGN_OR_RETURN(RegionRef region, FindRegion(service, wish));
  // A cached answer serves others too, whose outputs go elsewhere.
  const bool is_cached = request->model().config().response_cache;
  if (region->kind() == RegionKind::kCuda && !is_cached) request->device_outputs.push_back(index);
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
