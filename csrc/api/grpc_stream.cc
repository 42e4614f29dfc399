#include "api/grpc_stream.h"

#include <utility>

#include "api/grpc_answer.h"

namespace pt::api {

class StreamInferCall::Item final : public Responder {
 public:
  Item(StreamInferCall* call, BlockPool* pool) : call_(call), pool_(pool) {}

  void Send(InferResponse&& response, Finality finality) override;

  AnswerPlan plan;              // constant once the request is submitted
  bool is_ordered = true;       // likewise
  size_t slot = 0;              // in active_; this and the rest guarded by the call's mutex
  bool is_done = false;         // the final response was given
  std::vector<SliceList> held;  // responses that wait for those of earlier requests

 private:
  Result<SliceList> Encode(InferResponse* response, Finality finality) const;

  const RefPtr<StreamInferCall> call_;
  BlockPool* const pool_;
};

Result<SliceList> StreamInferCall::Item::Encode(InferResponse* response, Finality finality) const {
  if (!response->status.ok()) return response->status;
  const bool is_empty_end =
      !is_ordered && finality == Finality::kFinal && response->outputs.empty();
  if (!is_empty_end) return EncodeStreamAnswer(plan, response, finality, pool_);
  if (!plan.wants_empty_final) return SliceList();
  return EncodeStreamNote(plan, {}, finality, pool_);
}

void StreamInferCall::Item::Send(InferResponse&& response, Finality finality) {
  Result<SliceList> message = Encode(&response, finality);
  if (message.ok()) return call_->Deliver(this, std::move(message).value(), finality);
  const Status& status = message.status();
  PT_VLOG(call_->service_->logger(), 1, plan.id, "ModelStreamInfer failed: " + status.ToString());
  if (call_->errors_ == StreamErrors::kAsStatus) {
    call_->Abort(ToGrpcStatus(status));
    return call_->Deliver(this, {}, finality);
  }
  call_->Deliver(this, EncodeStreamNote(plan, status.message(), finality, pool_), finality);
}

StreamInferCall::StreamInferCall(InferCallStart start, StreamErrors errors)
    : service_(start.service),
      deadline_(start.deadline),
      forwarded_(std::move(start.forwarded)),
      trace_(std::move(start.trace)),
      errors_(errors),
      sink_(std::move(start.sink)) {}

StreamInferCall::~StreamInferCall() = default;

void StreamInferCall::OnMessage(Slice message, const CallContext& context) {
  wire::InferRequestBytes bytes;
  bytes.head = std::move(message);
  Run(bytes, context);
}

bool StreamInferCall::BeginMessage(uint32_t size, const CallContext& context) {
  if (size < UnaryInferCall::kLargeMessage) return false;
  assembler_.emplace(size, context.pool);
  return true;
}

void StreamInferCall::OnMessagePart(std::string_view part, const CallContext& context) {
  if (assembler_) assembler_->Append(part);
}

std::span<char> StreamInferCall::MessagePlace() const {
  return assembler_ ? assembler_->place() : std::span<char>();
}

void StreamInferCall::OnPlaced(size_t count) { assembler_->Placed(count); }

void StreamInferCall::EndMessage(const CallContext& context) {
  if (!assembler_) return;
  Result<wire::InferRequestBytes> bytes = assembler_->Finish();
  assembler_.reset();
  if (!bytes.ok()) return Abort(ToGrpcStatus(bytes.status()));
  Run(*bytes, context);
}

void StreamInferCall::OnHalfClose(const CallContext& context) {
  {
    MutexLock lock(&mu_);
    is_half_closed_ = true;
  }
  Flush();
}

void StreamInferCall::OnCancel() {
  std::vector<SliceList> dropped;
  std::deque<RefPtr<Item>> unanswered;
  {
    MutexLock lock(&mu_);
    is_over_ = true;
    dropped.swap(outbox_);
    unanswered.swap(ordered_);
  }
  CancelAll();
}

void StreamInferCall::Run(const wire::InferRequestBytes& bytes, const CallContext& context) {
  wire::InferRequestView view;
  const Status parsed = wire::ParseInferRequest(bytes.head.view(), &view);
  if (!parsed.ok()) return Abort(ToGrpcStatus(parsed));
  const auto item = MakeRef<Item>(this, context.pool);
  InferMessage message;
  message.view = &view;
  message.bytes = &bytes;
  message.forwarded = &forwarded_;
  message.deadline = deadline_;
  message.kind = CallKind::kStream;
  Result<RequestPtr> request = BuildInferRequest(*service_, context, message, &item->plan);
  item->is_ordered = !request.ok() || !item->plan.model->config().is_decoupled;
  Enter(item);
  if (!request.ok()) {
    SliceList refusal = EncodeStreamRefusal(view.id, request.status().message(), context.pool);
    return Deliver(item.get(), std::move(refusal), Finality::kFinal);
  }
  (*request)->AnswerTo(item);
  if (Tracer* tracer = service_->ActiveTracer(); tracer != nullptr) {
    TraceRequest(tracer, trace_.get(), context.now, request->get());
  }
  service_->Infer(std::move(request).value(), context);
}

void StreamInferCall::Abort(GrpcStatus status) {
  {
    MutexLock lock(&mu_);
    if (!abort_) abort_ = std::move(status);
  }
  Flush();
  CancelAll();
}

void StreamInferCall::Enter(const RefPtr<Item>& item) {
  MutexLock lock(&mu_);
  item->slot = active_.size();
  active_.push_back(item);
  if (item->is_ordered) ordered_.push_back(item);
}

void StreamInferCall::Deliver(Item* item, SliceList&& message, Finality finality) {
  const RefPtr<Item> keep(item);  // leaving may drop the last reference of the lists
  {
    MutexLock lock(&mu_);
    if (!message.empty() && !is_over_ && !abort_) PassMessageLocked(item, std::move(message));
    if (finality == Finality::kFinal) LeaveLocked(item);
  }
  Flush();
}

void StreamInferCall::PassMessageLocked(Item* item, SliceList&& message) {
  const bool has_turn = !item->is_ordered || ordered_.front().get() == item;
  (has_turn ? outbox_ : item->held).push_back(std::move(message));
}

void StreamInferCall::LeaveLocked(Item* item) {
  item->is_done = true;
  active_.back()->slot = item->slot;
  std::swap(active_[item->slot], active_.back());
  active_.pop_back();
  if (item->is_ordered) AdvanceOrderLocked();
}

void StreamInferCall::AdvanceOrderLocked() {
  while (!ordered_.empty() && ordered_.front()->is_done) {
    ordered_.pop_front();
    if (ordered_.empty()) return;
    for (SliceList& message : ordered_.front()->held) outbox_.push_back(std::move(message));
    ordered_.front()->held.clear();
  }
}

std::optional<GrpcStatus> StreamInferCall::TakeEndLocked() {
  if (is_over_) return std::nullopt;
  const bool is_complete = is_half_closed_ && active_.empty();
  if (!abort_ && !is_complete) return std::nullopt;
  is_over_ = true;
  return abort_ ? *abort_ : GrpcStatus();
}

void StreamInferCall::Flush() {
  std::vector<SliceList> messages;
  std::optional<GrpcStatus> end;
  RefPtr<GrpcSink> sink;
  {
    MutexLock lock(&mu_);
    if (is_flushing_ || !sink_) return;
    is_flushing_ = true;
  }
  while (true) {
    {
      MutexLock lock(&mu_);
      messages.swap(outbox_);
      if (messages.empty()) {
        end = TakeEndLocked();
        if (end) sink = std::move(sink_);
        is_flushing_ = false;
        break;
      }
    }
    for (SliceList& message : messages) sink_->SendMessage(std::move(message));
    messages.clear();
  }
  if (end) sink->Finish(std::move(*end));
}

void StreamInferCall::CancelAll() {
  std::vector<RefPtr<Item>> active;
  {
    MutexLock lock(&mu_);
    active = active_;
  }
  for (const RefPtr<Item>& item : active) item->Cancel();
}

}  // namespace pt::api
