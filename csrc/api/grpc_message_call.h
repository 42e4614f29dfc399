// MessageCall: a call whose messages are each answered at once by a function: the control methods
// (one message) and reflection (a stream of them). FailedCall: a call that is refused at its start.
//
// Thread rule: loop's driver. Owner rule: counted.
#pragma once

#include <utility>

#include "api/grpc_call.h"
#include "api/grpc_methods.h"

namespace pt::api {

enum class MessageCount { kOne, kMany };

class MessageCall final : public GrpcHandler {
 public:
  MessageCall(const Service* service, UnaryFunction function, MessageCount count,
              RefPtr<GrpcSink> sink)
      : service_(service), function_(function), count_(count), sink_(std::move(sink)) {}

  void OnMessage(Slice message, const CallContext& context) override;
  void OnHalfClose(const CallContext& context) override;
  void OnCancel() override { sink_.Reset(); }

 private:
  void Finish(GrpcStatus status);

  const Service* const service_;
  const UnaryFunction function_;
  const MessageCount count_;
  RefPtr<GrpcSink> sink_;  // until the end
};

// A call whose one message is answered later, from any thread.
class LaterCall final : public GrpcHandler {
 public:
  LaterCall(const Service* service, LaterFunction function, RefPtr<GrpcSink> sink)
      : service_(service), function_(function), sink_(std::move(sink)) {}

  void OnMessage(Slice message, const CallContext& context) override;
  void OnHalfClose(const CallContext& context) override;
  // What was asked for goes on; its answer is dropped by the sink.
  void OnCancel() override { sink_.Reset(); }

 private:
  const Service* const service_;
  const LaterFunction function_;
  RefPtr<GrpcSink> sink_;  // until there is a message; then the answer holds it
};

class FailedCall final : public GrpcHandler {
 public:
  FailedCall(const Status& status, RefPtr<GrpcSink> sink)
      : status_(ToGrpcStatus(status)), sink_(std::move(sink)) {}

  // Answers with the first thing the client does, so that it never sees an end before its start.
  void OnMessage(Slice message, const CallContext& context) override { Finish(); }
  void OnHalfClose(const CallContext& context) override { Finish(); }
  void OnCancel() override { sink_.Reset(); }

 private:
  void Finish() {
    const RefPtr<GrpcSink> sink = std::move(sink_);
    if (sink) sink->Finish(std::move(status_));
  }

  GrpcStatus status_;
  RefPtr<GrpcSink> sink_;
};

}  // namespace pt::api
