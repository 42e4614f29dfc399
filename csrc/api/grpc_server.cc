#include "api/grpc_server.h"

#include <utility>

#include "api/grpc_infer.h"
#include "api/grpc_message_call.h"
#include "api/grpc_methods.h"
#include "api/grpc_stream.h"

namespace pt::api {
namespace {

StreamErrors ErrorsWanted(const HttpRequestHead* head) {
  if (head == nullptr) return StreamErrors::kAsMessages;
  for (const HeaderView& header : head->headers) {
    if (header.name == "triton_grpc_error" && header.value == "true") {
      return StreamErrors::kAsStatus;
    }
  }
  return StreamErrors::kAsMessages;
}

}  // namespace

GrpcServer::GrpcServer(Service* service)
    : service_(service),
      forwarder_(service->options().grpc_header_forward_pattern, service->logger()) {}

RefPtr<GrpcHandler> GrpcServer::Start(const GrpcCallInfo& info, const CallContext& context,
                                      RefPtr<GrpcSink> sink) {
  const GrpcMethod* method = FindGrpcMethod(info.path);
  if (method == nullptr) return nullptr;
  std::string refusal = service_->options().grpc_access.Refusal(method->group, info.head);
  if (!refusal.empty()) {
    return MakeRef<FailedCall>(Unavailable(std::move(refusal)), std::move(sink));
  }
  switch (method->kind) {
    case MethodKind::kInfer:
    case MethodKind::kStreamInfer:
      return StartInfer(info, context.now, std::move(sink),
                        method->kind == MethodKind::kStreamInfer);
    case MethodKind::kUnary:
      return MakeRef<MessageCall>(service_, method->function, MessageCount::kOne, std::move(sink));
    case MethodKind::kLater:
      return MakeRef<LaterCall>(service_, method->later, std::move(sink));
    case MethodKind::kReflection:
      return MakeRef<MessageCall>(service_, method->function, MessageCount::kMany, std::move(sink));
  }
  return nullptr;
}

RefPtr<GrpcHandler> GrpcServer::StartInfer(const GrpcCallInfo& info, TimePoint now,
                                           RefPtr<GrpcSink> sink, bool is_stream) {
  InferCallStart start;
  start.service = service_;
  start.deadline = info.deadline;
  if (forwarder_.is_active() && info.head != nullptr) {
    Result<Parameters> forwarded = forwarder_.Forward(*info.head);
    if (!forwarded.ok()) return MakeRef<FailedCall>(forwarded.status(), std::move(sink));
    start.forwarded = std::move(forwarded).value();
  }
  if (service_->ActiveTracer() != nullptr)
    start.trace = StartTrace(info, now, forwarder_, is_stream);
  start.sink = std::move(sink);
  if (is_stream) return MakeRef<StreamInferCall>(std::move(start), ErrorsWanted(info.head));
  return MakeRef<UnaryInferCall>(std::move(start));
}

}  // namespace pt::api
