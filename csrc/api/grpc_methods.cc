#include "api/grpc_methods.h"

#include "api/grpc_control.h"
#include "api/grpc_reflection.h"

namespace pt::api {
namespace {

using enum ApiGroup;

constexpr GrpcMethod kMethods[] = {
    // The first row is found first: it is nearly all of the traffic.
    {"/inference.GRPCInferenceService/ModelInfer", MethodKind::kInfer, nullptr, kInference},
    {"/inference.GRPCInferenceService/ModelStreamInfer", MethodKind::kStreamInfer, nullptr,
     kInference},
    {"/inference.GRPCInferenceService/ServerLive", MethodKind::kUnary, ServerLive, kHealth},
    {"/inference.GRPCInferenceService/ServerReady", MethodKind::kUnary, ServerReady, kHealth},
    {"/inference.GRPCInferenceService/ModelReady", MethodKind::kUnary, ModelReady, kHealth},
    {"/inference.GRPCInferenceService/ServerMetadata", MethodKind::kUnary, ServerMetadata,
     kMetadata},
    {"/inference.GRPCInferenceService/ModelMetadata", MethodKind::kUnary, ModelMetadata, kMetadata},
    {"/inference.GRPCInferenceService/ModelConfig", MethodKind::kUnary, ModelConfigOf,
     kModelConfig},
    {"/inference.GRPCInferenceService/ModelStatistics", MethodKind::kUnary, ModelStatistics,
     kStatistics},
    {"/inference.GRPCInferenceService/RepositoryIndex", MethodKind::kLater, nullptr,
     kModelRepository, RepositoryIndex},
    {"/inference.GRPCInferenceService/RepositoryModelLoad", MethodKind::kLater, nullptr,
     kModelRepository, RepositoryLoad},
    {"/inference.GRPCInferenceService/RepositoryModelUnload", MethodKind::kLater, nullptr,
     kModelRepository, RepositoryUnload},
    {"/inference.GRPCInferenceService/SystemSharedMemoryStatus", MethodKind::kUnary,
     SystemSharedMemoryStatus, kSharedMemory},
    {"/inference.GRPCInferenceService/SystemSharedMemoryRegister", MethodKind::kUnary,
     SystemSharedMemoryRegister, kSharedMemory},
    {"/inference.GRPCInferenceService/SystemSharedMemoryUnregister", MethodKind::kUnary,
     SystemSharedMemoryUnregister, kSharedMemory},
    {"/inference.GRPCInferenceService/CudaSharedMemoryStatus", MethodKind::kUnary,
     CudaSharedMemoryStatus, kSharedMemory},
    {"/inference.GRPCInferenceService/CudaSharedMemoryRegister", MethodKind::kUnary,
     CudaSharedMemoryRegister, kSharedMemory},
    {"/inference.GRPCInferenceService/CudaSharedMemoryUnregister", MethodKind::kUnary,
     CudaSharedMemoryUnregister, kSharedMemory},
    {"/inference.GRPCInferenceService/TraceSetting", MethodKind::kUnary, TraceSetting, kTrace},
    {"/inference.GRPCInferenceService/LogSettings", MethodKind::kUnary, LogSettings, kLogging},
    {"/grpc.health.v1.Health/Check", MethodKind::kUnary, HealthCheck, kHealth},
    {"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", MethodKind::kReflection, Reflect,
     kOpen},
    {"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", MethodKind::kReflection,
     Reflect, kOpen},
};

}  // namespace

const GrpcMethod* FindGrpcMethod(std::string_view path) {
  for (const GrpcMethod& method : kMethods) {
    if (method.path == path) return &method;
  }
  return nullptr;
}

std::span<const GrpcMethod> GrpcMethods() { return kMethods; }

}  // namespace pt::api
