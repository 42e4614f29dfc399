// The gRPC control methods (spec/triton-frontend 3.2). Each is a UnaryFunction
// (api/grpc_methods.h).
//
// Thread rule: thread-safe. None blocks on a model.
#pragma once

#include <string>
#include <string_view>

#include "api/grpc_methods.h"
#include "api/service.h"
#include "base/status.h"

namespace pt::api {

// grpc_health.cc: health of the server and of models.
Status ServerLive(const Service& service, std::string_view request, std::string* response);
Status ServerReady(const Service& service, std::string_view request, std::string* response);
// OK with `ready` false for an unknown model or version.
Status ModelReady(const Service& service, std::string_view request, std::string* response);
// grpc.health.v1; the service name is ignored.
Status HealthCheck(const Service& service, std::string_view request, std::string* response);

// grpc_control.cc: what is served.
Status ServerMetadata(const Service& service, std::string_view request, std::string* response);
Status ModelMetadata(const Service& service, std::string_view request, std::string* response);
Status ModelConfigOf(const Service& service, std::string_view request, std::string* response);

// grpc_repository.cc: LaterFunctions. Errors: Unsupported when a repository is named; those of
// repo::ModelControl.
void RepositoryIndex(const Service& service, std::string_view request, LaterDone done);
void RepositoryLoad(const Service& service, std::string_view request, LaterDone done);
void RepositoryUnload(const Service& service, std::string_view request, LaterDone done);

// grpc_statistics.cc. Errors: InvalidArgument for an unknown model or version.
Status ModelStatistics(const Service& service, std::string_view request, std::string* response);

// grpc_settings.cc
Status LogSettings(const Service& service, std::string_view request, std::string* response);
// grpc_trace.cc. Errors: InvalidArgument for an unknown model, those of TraceSettings.
Status TraceSetting(const Service& service, std::string_view request, std::string* response);

// grpc_memory.cc. Errors: Unsupported when clients may not register memory, those of RegionTable.
Status SystemSharedMemoryRegister(const Service& service, std::string_view request,
                                  std::string* response);
Status SystemSharedMemoryStatus(const Service& service, std::string_view request,
                                std::string* response);
Status SystemSharedMemoryUnregister(const Service& service, std::string_view request,
                                    std::string* response);
Status CudaSharedMemoryRegister(const Service& service, std::string_view request,
                                std::string* response);
Status CudaSharedMemoryStatus(const Service& service, std::string_view request,
                              std::string* response);
Status CudaSharedMemoryUnregister(const Service& service, std::string_view request,
                                  std::string* response);

}  // namespace pt::api
