// GrpcCall: one gRPC call on an HTTP/2 stream: cuts the request into messages for the api's
// handler, frames its answers, and watches the client's deadline.
//
// Thread rule: SendMessage, SendUnary and Finish from any thread, one at a time; on a thread that
// does not drive the connection's loop they leave the answer in an outbox and post. All else: loop
// driver. Owner rule: see Http2Call. It holds the handler, which holds it, until the stream is
// closed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/grpc_call.h"
#include "server/body_buffer.h"
#include "server/http2_call.h"
#include "server/http2_connection.h"
#include "server/outbox.h"
#include "wire/content_coding.h"
#include "wire/grpc_frame.h"

namespace pt::server {

class GrpcCall final : public InCells, public api::GrpcSink, public Http2Call {
 public:
  explicit GrpcCall(Http2Protocol* protocol) : Http2Call(protocol) {}

  // Finds the method and begins the call, or answers why not. `head` is valid during the call.
  void Start(const api::HttpRequestHead& head, bool is_head_too_large);

  // api::GrpcSink
  void SendMessage(SliceList&& message) override;
  void Finish(api::GrpcStatus status) override;
  void SendUnary(SliceList&& message) override;

  // Http2Call
  void OnData(std::string_view bytes) override;
  void OnEnd() override;
  Protocol::Target DirectTarget() override;
  void OnDirectBytes(size_t count) override;
  void OnTick(TimePoint now, Duration idle_limit) override;
  void BeginDrain(DrainStep step) override;
  void FailCall(const std::string& reason) override;
  void OnDeadline() override;
  void OnClosed() override;

 private:
  struct Message {
    SliceList bytes;
    bool is_compressed = false;
  };
  // What was answered and not queued in the session yet.
  struct Answer {
    std::optional<Message> message;  // the first; most calls answer one
    std::vector<Message> more;
    std::optional<api::GrpcStatus> status;
  };
  // How the message that is arriving in parts is taken.
  enum class Intake { kCollect, kPassOn };

  ~GrpcCall() override = default;

  // net::LoopTask: answers of other threads.
  void RunOnLoop() override;
  void DropUnrun() override { DropRef(); }

  bool ReadHead(const api::HttpRequestHead& head, api::GrpcCallInfo* info);
  void TakeAll(std::string_view bytes);
  bool Take(const wire::GrpcPiece& piece);
  bool TakeWhole(const wire::GrpcPiece& piece);
  bool BeginParts(const wire::GrpcPiece& piece);
  bool PassOn(uint32_t size);
  bool EndParts(bool is_compressed);
  bool GiveCompressed(std::string_view bytes);
  void NoteMessage();
  void Give(Slice message);
  void HalfClose();

  Message Packed(SliceList&& message) const;
  template <typename Change>
  void Deliver(const Change& change);
  void Apply(Answer&& answer);
  void QueueMessage(Message&& message);
  void QueueStatus(api::GrpcStatus&& status);
  void SendGrpcHead();
  // Ends the call from our side: tells the handler and the client.
  void Fail(api::GrpcCode code, std::string message);
  void StopDeadline();

  RefPtr<api::GrpcHandler> handler_;
  wire::GrpcDeframer deframer_;
  wire::ContentCoding request_coding_ = wire::ContentCoding::kIdentity;
  wire::ContentCoding answer_coding_ = wire::ContentCoding::kIdentity;
  Intake intake_ = Intake::kCollect;
  std::optional<BodyBuffer> parts_;  // of a message that is collected
  bool has_messages_ = false;        // at least one message has come
  bool is_stream_ = false;           // more than one
  bool is_half_closed_ = false;      // the handler knows that the client is done
  bool is_head_sent_ = false;
  bool is_finished_ = false;  // the status is queued; nothing else is taken or sent
  bool has_deadline_ = false;
  Http2Protocol::Deadlines::iterator deadline_;
  Outbox<Answer> outbox_;
};

}  // namespace pt::server
