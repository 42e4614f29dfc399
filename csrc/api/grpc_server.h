// GrpcServer: the gRPC api: starts a handler for each call by the table of methods.
//
// Thread rule: Start on any loop's driver; the object is immutable. Owner rule: borrows the
// service.
#pragma once

#include "api/grpc_call.h"
#include "api/header_forward.h"
#include "api/service.h"

namespace pt::api {

class GrpcServer final : public GrpcService {
 public:
  explicit GrpcServer(Service* service);

  RefPtr<GrpcHandler> Start(const GrpcCallInfo& info, const CallContext& context,
                            RefPtr<GrpcSink> sink) override;

 private:
  RefPtr<GrpcHandler> StartInfer(const GrpcCallInfo& info, TimePoint now, RefPtr<GrpcSink> sink,
                                 bool is_stream);

  Service* const service_;
  const HeaderForwarder forwarder_;
};

}  // namespace pt::api
