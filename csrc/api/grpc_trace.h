// What the trace of a gRPC request needs of its call's start: the metadata is gone when the message
// is there.
//
// Thread rule: loop's driver only. Owner rule: the call owns it.
#pragma once

#include <memory>
#include <string>

#include "api/grpc_call.h"
#include "api/header_forward.h"
#include "api/tracer.h"

namespace pt::api {

struct GrpcTraceStart {
  TimePoint started;  // unset: a stream, whose requests start with their messages
  std::string parent;
  std::string state;
  const HeaderForwarder* forwarder = nullptr;
};

// REQUIRES: `forwarder` outlives the call.
std::unique_ptr<const GrpcTraceStart> StartTrace(const GrpcCallInfo& info, TimePoint now,
                                                 const HeaderForwarder& forwarder, bool is_stream);

// Traces the request if it is to be. `start` null: tracing was off when the call began.
void TraceRequest(Tracer* tracer, const GrpcTraceStart* start, TimePoint now,
                  InferRequest* request);

}  // namespace pt::api
