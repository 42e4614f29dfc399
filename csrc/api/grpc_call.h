// The border between HTTP/2 connections (server/) and the gRPC api.
//
// The connection unframes (wire/grpc) and gives whole messages, or, for a large one, its parts as
// they arrive. The api answers through the GrpcSink, now or later, from any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/call_context.h"
#include "api/http_call.h"
#include "base/block.h"
#include "base/clock.h"
#include "base/ref_counted.h"
#include "base/status.h"
#include "infer/response.h"

namespace pt::api {

// gRPC status codes (grpc/doc/statuscodes.md).
enum class GrpcCode {
  kOk = 0,
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kUnauthenticated = 16,
};

struct GrpcStatus {
  GrpcCode code = GrpcCode::kOk;
  std::string message;
};

// spec/triton-frontend 1.3.
GrpcStatus ToGrpcStatus(const Status& status);

// The connection's side of one call. Thread rule: from any thread, one at a time.
class GrpcSink : public RefCounted {
 public:
  // One message, unframed; the connection adds the five-byte prefix.
  virtual void SendMessage(SliceList&& message) = 0;
  // Ends the call. Exactly once, last.
  virtual void Finish(GrpcStatus status) = 0;
  // One message and the end in one go: what a unary call answers.
  virtual void SendUnary(SliceList&& message) = 0;
};

struct GrpcCallInfo {
  std::string_view path;  // "/inference.GRPCInferenceService/ModelInfer"; valid in Start only
  const HttpRequestHead* head = nullptr;  // metadata; valid in Start only
  TimePoint deadline = kNoDeadline;       // from grpc-timeout
};

// The api's side of one call. Thread rule: loop driver only.
class GrpcHandler : public RefCounted {
 public:
  // A whole message. Small messages come so.
  virtual void OnMessage(Slice message, const CallContext& context) = 0;
  // A large message in parts: true from Begin takes it so; false asks for OnMessage with all of it.
  virtual bool BeginMessage(uint32_t size, const CallContext& context) { return false; }
  virtual void OnMessagePart(std::string_view part, const CallContext& context) {}
  // Where the next bytes of the message belong; empty: they come by OnMessagePart. Some of them may
  // be written there instead, and are then told by OnPlaced.
  virtual std::span<char> MessagePlace() const { return {}; }
  virtual void OnPlaced(size_t count) {}
  virtual void EndMessage(const CallContext& context) {}
  // The client has sent everything.
  virtual void OnHalfClose(const CallContext& context) = 0;
  // The client cancelled, its deadline passed, or its connection broke; nothing can be sent any
  // more.
  virtual void OnCancel() = 0;
};

class GrpcService {
 public:
  virtual ~GrpcService() = default;
  // Null when the method is unknown (the connection answers UNIMPLEMENTED).
  virtual RefPtr<GrpcHandler> Start(const GrpcCallInfo& info, const CallContext& context,
                                    RefPtr<GrpcSink> sink) = 0;
};

}  // namespace pt::api
