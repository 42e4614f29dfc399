#include "api/grpc_methods.h"

#include "api/grpc_control.h"
#include "api/grpc_reflection.h"

namespace pt::api {
namespace {

constexpr GrpcMethod kMethods[] = {
    // The first row is found first: it is nearly all of the traffic.
    {"/inference.GRPCInferenceService/ModelInfer", MethodKind::kInfer, nullptr},
    {"/inference.GRPCInferenceService/ModelStreamInfer", MethodKind::kStreamInfer, nullptr},
    {"/inference.GRPCInferenceService/ServerLive", MethodKind::kUnary, ServerLive},
    {"/inference.GRPCInferenceService/ServerReady", MethodKind::kUnary, ServerReady},
    {"/inference.GRPCInferenceService/ModelReady", MethodKind::kUnary, ModelReady},
    {"/inference.GRPCInferenceService/ServerMetadata", MethodKind::kUnary, ServerMetadata},
    {"/inference.GRPCInferenceService/ModelMetadata", MethodKind::kUnary, ModelMetadata},
    {"/inference.GRPCInferenceService/ModelConfig", MethodKind::kUnary, ModelConfigOf},
    {"/inference.GRPCInferenceService/ModelStatistics", MethodKind::kUnary, ModelStatistics},
    {"/inference.GRPCInferenceService/RepositoryIndex", MethodKind::kUnary, RepositoryIndex},
    {"/inference.GRPCInferenceService/RepositoryModelLoad", MethodKind::kUnary, RefuseLoad},
    {"/inference.GRPCInferenceService/RepositoryModelUnload", MethodKind::kUnary, RefuseUnload},
    {"/inference.GRPCInferenceService/SystemSharedMemoryStatus", MethodKind::kUnary,
     SystemSharedMemoryStatus},
    {"/inference.GRPCInferenceService/SystemSharedMemoryRegister", MethodKind::kUnary,
     RefuseSharedMemory},
    {"/inference.GRPCInferenceService/SystemSharedMemoryUnregister", MethodKind::kUnary,
     UnregisterNothing},
    {"/inference.GRPCInferenceService/CudaSharedMemoryStatus", MethodKind::kUnary,
     CudaSharedMemoryStatus},
    {"/inference.GRPCInferenceService/CudaSharedMemoryRegister", MethodKind::kUnary,
     RefuseSharedMemory},
    {"/inference.GRPCInferenceService/CudaSharedMemoryUnregister", MethodKind::kUnary,
     UnregisterNothing},
    {"/inference.GRPCInferenceService/TraceSetting", MethodKind::kUnary, TraceSetting},
    {"/inference.GRPCInferenceService/LogSettings", MethodKind::kUnary, LogSettings},
    {"/grpc.health.v1.Health/Check", MethodKind::kUnary, HealthCheck},
    {"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", MethodKind::kReflection, Reflect},
    {"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", MethodKind::kReflection,
     Reflect},
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
