// StreamInferCall: one ModelStreamInfer call: any number of requests, their responses by the rules
// of spec/triton-frontend 3.4.
//
// Order: requests of models that are not decoupled, and refusals, are answered in the order they
// came; decoupled ones are answered as their models produce. Thread rule: the handler's side on the
// loop's driver; responses from any number of threads at once. What they produce goes through one
// outbox, emptied by one thread at a time, so that the sink is never called twice at once and no
// lock is held while it is called. Owner rule: counted; the connection holds it as handler, each
// request through its responder.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "api/grpc_call.h"
#include "api/grpc_infer.h"
#include "api/grpc_request.h"
#include "base/mutex.h"
#include "wire/infer_assembler.h"

namespace pt::api {

// How errors of models reach the client (metadata triton_grpc_error).
enum class StreamErrors { kAsMessages, kAsStatus };

class StreamInferCall final : public GrpcHandler {
 public:
  StreamInferCall(InferCallStart start, StreamErrors errors);
  ~StreamInferCall() override;

  void OnMessage(Slice message, const CallContext& context) override;
  bool BeginMessage(uint32_t size, const CallContext& context) override;
  void OnMessagePart(std::string_view part, const CallContext& context) override;
  std::span<char> MessagePlace() const override;
  void OnPlaced(size_t count) override;
  void EndMessage(const CallContext& context) override;
  void OnHalfClose(const CallContext& context) override EXCLUDES(mu_);
  void OnCancel() override EXCLUDES(mu_);

 private:
  class Item;  // one request, and its responder

  void Run(const wire::InferRequestBytes& bytes, const CallContext& context);
  // Ends the stream with this status; what is under way is cancelled.
  void Abort(GrpcStatus status) EXCLUDES(mu_);
  void Enter(const RefPtr<Item>& item) EXCLUDES(mu_);
  // Takes one response of an item (empty: nothing to be sent); the final one removes the item.
  void Deliver(Item* item, SliceList&& message, Finality finality) EXCLUDES(mu_);
  void PassMessageLocked(Item* item, SliceList&& message) REQUIRES(mu_);
  void LeaveLocked(Item* item) REQUIRES(mu_);
  // Moves what may be sent now from the items that are answered in order to the outbox.
  void AdvanceOrderLocked() REQUIRES(mu_);
  // Sends what is in the outbox and ends the stream if that is due, unless a thread does so
  // already.
  void Flush() EXCLUDES(mu_);
  std::optional<GrpcStatus> TakeEndLocked() REQUIRES(mu_);
  void CancelAll() EXCLUDES(mu_);

  Service* const service_;
  const TimePoint deadline_;
  const Parameters forwarded_;
  const std::unique_ptr<const GrpcTraceStart> trace_;
  const StreamErrors errors_;
  std::optional<wire::InferRequestAssembler> assembler_;  // loop's driver only
  RefPtr<GrpcSink> sink_;                                 // whoever set is_flushing_ only

  Mutex mu_;
  std::vector<RefPtr<Item>> active_ GUARDED_BY(mu_);  // not yet finally answered
  std::deque<RefPtr<Item>> ordered_ GUARDED_BY(mu_);  // answered in this order
  std::vector<SliceList> outbox_ GUARDED_BY(mu_);
  std::optional<GrpcStatus> abort_ GUARDED_BY(mu_);
  bool is_flushing_ GUARDED_BY(mu_) = false;
  bool is_half_closed_ GUARDED_BY(mu_) = false;
  bool is_over_ GUARDED_BY(mu_) = false;  // ended or cancelled: nothing more is sent
};

}  // namespace pt::api
