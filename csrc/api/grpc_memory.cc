// The shared memory extensions over gRPC (spec/triton-frontend 3.2).

#include <string>
#include <utility>
#include <vector>

#include "api/grpc_control.h"
#include "api/grpc_protobuf.h"
#include "api/region_use.h"
#include "wire/proto/shared_memory.pb.h"

namespace pt::api {
namespace {

Result<std::vector<RegionRef>> ListRegions(const Service& service, RegionKind kind,
                                           const std::string& name) {
  if (service.regions() != nullptr) return service.regions()->List(kind, name);
  if (name.empty()) return std::vector<RegionRef>();
  return RegionTable().List(kind, name);  // the error of an unknown name
}

template <typename Request, typename Response>
Status Unregister(const Service& service, RegionKind kind, std::string_view request,
                  std::string* response) {
  Request given;
  PT_RETURN_IF_ERROR(ParseMessage(request, &given));
  if (service.regions() != nullptr) service.regions()->Unregister(kind, given.name());
  return WriteMessage(Response(), response);
}

}  // namespace

Status SystemSharedMemoryRegister(const Service& service, std::string_view request,
                                  std::string* response) {
  inference::SystemSharedMemoryRegisterRequest given;
  PT_RETURN_IF_ERROR(ParseMessage(request, &given));
  if (service.regions() == nullptr) return Unsupported(std::string(kNoClientMemory));
  ShmRegionSpec spec;
  spec.name = given.name();
  spec.key = given.key();
  spec.offset = given.offset();
  spec.byte_size = given.byte_size();
  PT_RETURN_IF_ERROR(service.regions()->RegisterSystem(std::move(spec)));
  return WriteMessage(inference::SystemSharedMemoryRegisterResponse(), response);
}

Status SystemSharedMemoryStatus(const Service& service, std::string_view request,
                                std::string* response) {
  inference::SystemSharedMemoryStatusRequest given;
  PT_RETURN_IF_ERROR(ParseMessage(request, &given));
  PT_ASSIGN_OR_RETURN(const std::vector<RegionRef> found,
                      ListRegions(service, RegionKind::kSystem, given.name()));
  inference::SystemSharedMemoryStatusResponse answer;
  for (const RegionRef& region : found) {
    const auto& system = static_cast<const ShmRegion&>(*region);
    auto& status = (*answer.mutable_regions())[region->name()];
    status.set_name(region->name());
    status.set_key(system.key());
    status.set_offset(system.offset());
    status.set_byte_size(region->byte_size());
  }
  return WriteMessage(answer, response);
}

Status SystemSharedMemoryUnregister(const Service& service, std::string_view request,
                                    std::string* response) {
  return Unregister<inference::SystemSharedMemoryUnregisterRequest,
                    inference::SystemSharedMemoryUnregisterResponse>(service, RegionKind::kSystem,
                                                                     request, response);
}

Status CudaSharedMemoryRegister(const Service& service, std::string_view request,
                                std::string* response) {
  inference::CudaSharedMemoryRegisterRequest given;
  PT_RETURN_IF_ERROR(ParseMessage(request, &given));
  if (service.regions() == nullptr) return Unsupported(std::string(kNoClientMemory));
  CudaRegionSpec spec;
  spec.name = given.name();
  spec.handle = given.raw_handle();
  spec.device = given.device_id();
  spec.byte_size = given.byte_size();
  PT_RETURN_IF_ERROR(service.regions()->RegisterCuda(std::move(spec)));
  return WriteMessage(inference::CudaSharedMemoryRegisterResponse(), response);
}

Status CudaSharedMemoryStatus(const Service& service, std::string_view request,
                              std::string* response) {
  inference::CudaSharedMemoryStatusRequest given;
  PT_RETURN_IF_ERROR(ParseMessage(request, &given));
  PT_ASSIGN_OR_RETURN(const std::vector<RegionRef> found,
                      ListRegions(service, RegionKind::kCuda, given.name()));
  inference::CudaSharedMemoryStatusResponse answer;
  for (const RegionRef& region : found) {
    auto& status = (*answer.mutable_regions())[region->name()];
    status.set_name(region->name());
    const auto& cuda = static_cast<const CudaRegion&>(*region);
    status.set_device_id(static_cast<uint64_t>(cuda.device()));
    status.set_byte_size(region->byte_size());
  }
  return WriteMessage(answer, response);
}

Status CudaSharedMemoryUnregister(const Service& service, std::string_view request,
                                  std::string* response) {
  return Unregister<inference::CudaSharedMemoryUnregisterRequest,
                    inference::CudaSharedMemoryUnregisterResponse>(service, RegionKind::kCuda,
                                                                   request, response);
}

}  // namespace pt::api
