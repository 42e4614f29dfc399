#include "api/grpc_infer.h"

#include <utility>

#include "api/grpc_answer.h"

namespace pt::api {

UnaryInferCall::UnaryInferCall(InferCallStart start)
    : service_(start.service),
      sink_(std::move(start.sink)),
      deadline_(start.deadline),
      forwarded_(std::move(start.forwarded)),
      trace_(std::move(start.trace)),
      answerer_(this) {}

void UnaryInferCall::OnMessage(Slice message, const CallContext& context) {
  wire::InferRequestBytes bytes;
  bytes.head = std::move(message);
  Run(bytes, context);
}

bool UnaryInferCall::BeginMessage(uint32_t size, const CallContext& context) {
  if (size < kLargeMessage) return false;
  assembler_.emplace(size, context.pool);
  return true;
}

void UnaryInferCall::OnMessagePart(std::string_view part, const CallContext& context) {
  if (assembler_) assembler_->Append(part);
}

std::span<char> UnaryInferCall::MessagePlace() const {
  return assembler_ ? assembler_->place() : std::span<char>();
}

void UnaryInferCall::OnPlaced(size_t count) { assembler_->Placed(count); }

void UnaryInferCall::EndMessage(const CallContext& context) {
  if (!assembler_) return;
  Result<wire::InferRequestBytes> bytes = assembler_->Finish();
  assembler_.reset();
  if (bytes.ok()) {
    Run(*bytes, context);
  } else {
    has_message_ = true;
    Refuse(bytes.status());
  }
}

void UnaryInferCall::OnHalfClose(const CallContext& context) {
  if (has_message_) return;
  has_message_ = true;
  // grpc/doc/statuscodes.md: a unary method that got no request.
  Refuse(Unsupported("expected one request message, got none"));
}

void UnaryInferCall::Run(const wire::InferRequestBytes& bytes, const CallContext& context) {
  if (has_message_) return;  // the method takes one; the answer to the first is under way
  has_message_ = true;
  pool_ = context.pool;
  const Status status = TryRun(bytes, context);
  if (!status.ok()) Refuse(status);
}

Status UnaryInferCall::TryRun(const wire::InferRequestBytes& bytes, const CallContext& context) {
  wire::InferRequestView view;
  PT_RETURN_IF_ERROR(wire::ParseInferRequest(bytes.head.view(), &view));
  InferMessage message;
  message.view = &view;
  message.bytes = &bytes;
  message.forwarded = &forwarded_;
  message.deadline = deadline_;
  PT_ASSIGN_OR_RETURN(RequestPtr request, BuildInferRequest(*service_, context, message, &plan_));
  AddRef();  // the answerer's reference, dropped with its last one
  request->AnswerTo(RefPtr<Responder>(&answerer_));
  if (Tracer* tracer = service_->ActiveTracer(); tracer != nullptr) {
    TraceRequest(tracer, trace_.get(), context.now, request.get());
  }
  service_->Infer(std::move(request), context);
  return {};
}

void UnaryInferCall::Answer(InferResponse&& response) {
  if (!sink_) return;  // a model that is not decoupled answers once; more is dropped
  if (!response.status.ok()) return Refuse(response.status);
  Result<SliceList> message = EncodeAnswer(plan_, &response, pool_);
  if (!message.ok()) return Refuse(message.status());
  const RefPtr<GrpcSink> sink = std::move(sink_);
  sink->SendUnary(std::move(message).value());
}

void UnaryInferCall::Refuse(const Status& status) {
  const RefPtr<GrpcSink> sink = std::move(sink_);
  if (!sink) return;
  PT_VLOG(service_->logger(), 1, plan_.id, "ModelInfer failed: " + status.ToString());
  sink->Finish(ToGrpcStatus(status));
}

}  // namespace pt::api
