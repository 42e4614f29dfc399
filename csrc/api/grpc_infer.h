// UnaryInferCall: one ModelInfer call, from its message to its answer. Handler and responder are
// one object, because every call needs both and an allocation is dear at this rate.
//
// Thread rule: the handler's side on the loop's driver; the answer from any thread.
// Owner rule: counted; the connection holds it as handler, the request as responder.
#pragma once

#include <memory>
#include <optional>

#include "api/grpc_call.h"
#include "api/grpc_request.h"
#include "api/grpc_trace.h"
#include "api/service.h"
#include "wire/infer_assembler.h"

namespace pt::api {

// What a call was started with.
struct InferCallStart {
  Service* service = nullptr;
  RefPtr<GrpcSink> sink;
  TimePoint deadline = kNoDeadline;
  Parameters forwarded;                         // headers that became parameters
  std::unique_ptr<const GrpcTraceStart> trace;  // null: tracing was off
};

class UnaryInferCall final : public InCells, public GrpcHandler {
 public:
  // Messages of this size and more are taken in parts, so that their tensors get aligned places.
  static constexpr uint32_t kLargeMessage = 64 * 1024;

  explicit UnaryInferCall(InferCallStart start);

  void OnMessage(Slice message, const CallContext& context) override;
  bool BeginMessage(uint32_t size, const CallContext& context) override;
  void OnMessagePart(std::string_view part, const CallContext& context) override;
  std::span<char> MessagePlace() const override;
  void OnPlaced(size_t count) override;
  void EndMessage(const CallContext& context) override;
  void OnHalfClose(const CallContext& context) override;
  void OnCancel() override { answerer_.Cancel(); }

 private:
  // The responder's half. Its references count as one reference to the call.
  class Answerer final : public Responder {
   public:
    explicit Answerer(UnaryInferCall* call) : call_(call) {}
    void Send(InferResponse&& response, Finality finality) override {
      call_->Answer(std::move(response));
    }

   private:
    void Dispose() override { call_->DropRef(); }
    UnaryInferCall* const call_;
  };

  void Run(const wire::InferRequestBytes& bytes, const CallContext& context);
  Status TryRun(const wire::InferRequestBytes& bytes, const CallContext& context);
  void Answer(InferResponse&& response);
  void Refuse(const Status& status);

  Service* const service_;
  RefPtr<GrpcSink> sink_;  // until the answer
  const TimePoint deadline_;
  const Parameters forwarded_;
  const std::unique_ptr<const GrpcTraceStart> trace_;
  BlockPool* pool_ = nullptr;
  bool has_message_ = false;
  AnswerPlan plan_;
  std::optional<wire::InferRequestAssembler> assembler_;
  Answerer answerer_;
};

}  // namespace pt::api
