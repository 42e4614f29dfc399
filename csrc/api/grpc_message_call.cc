#include "api/grpc_message_call.h"

#include <string>

namespace pt::api {

void MessageCall::OnMessage(Slice message, const CallContext& context) {
  if (!sink_) return;  // answered already
  std::string response;
  const Status status = function_(*service_, message.view(), &response);
  if (!status.ok()) return Finish(ToGrpcStatus(status));
  SliceList slices;
  slices.push_back(Slice::OfString(std::move(response)));
  if (count_ == MessageCount::kMany) return sink_->SendMessage(std::move(slices));
  const RefPtr<GrpcSink> sink = std::move(sink_);
  sink->SendUnary(std::move(slices));
}

void MessageCall::OnHalfClose(const CallContext& context) {
  if (!sink_) return;
  if (count_ == MessageCount::kMany) return Finish({});
  Finish({GrpcCode::kUnimplemented, "expected one request message, got none"});
}

void MessageCall::Finish(GrpcStatus status) {
  const RefPtr<GrpcSink> sink = std::move(sink_);
  sink->Finish(std::move(status));
}

void LaterCall::OnMessage(Slice message, const CallContext& context) {
  if (!sink_) return;  // the method takes one
  function_(*service_, message.view(),
            [sink = std::move(sink_)](const Status& status, std::string response) {
              if (!status.ok()) return sink->Finish(ToGrpcStatus(status));
              SliceList slices;
              slices.push_back(Slice::OfString(std::move(response)));
              sink->SendUnary(std::move(slices));
            });
}

void LaterCall::OnHalfClose(const CallContext& context) {
  const RefPtr<GrpcSink> sink = std::move(sink_);
  if (!sink) return;
  sink->Finish({GrpcCode::kUnimplemented, "expected one request message, got none"});
}

}  // namespace pt::api
