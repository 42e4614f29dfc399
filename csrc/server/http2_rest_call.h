// RestCall: one REST request on an HTTP/2 stream: collects its body, gives it to the HttpService
// and sends the answer, whole or in parts.
//
// Thread rule: Send, SendHead, SendChunk and End from any thread, one at a time; on a thread that
// does not drive the connection's loop they leave the answer in an outbox and post. All else: loop
// driver. Owner rule: see Http2Call.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/http_call.h"
#include "server/body_buffer.h"
#include "server/http2_call.h"
#include "server/outbox.h"

namespace pt::server {

class RestCall final : public api::HttpReplySink, public Http2Call {
 public:
  explicit RestCall(Http2Protocol* protocol);

  // Begins the call, or answers why not. `head` is valid during the call.
  void Start(const api::HttpRequestHead& head, bool has_body, bool is_head_too_large);

  // api::HttpReplySink
  void Send(api::HttpReply&& reply) override;
  void SendHead(api::HttpReply&& head) override;
  void SendChunk(SliceList&& bytes) override;
  void End() override;
  void CancelWith(RefPtr<Responder> responder) override { responder_ = std::move(responder); }

  // Http2Call
  void OnData(std::string_view bytes) override;
  void OnEnd() override;
  Protocol::Target DirectTarget() override;
  void OnDirectBytes(size_t count) override;
  void OnTick(TimePoint now, Duration idle_limit) override;
  void FailCall(const std::string& reason) override;
  void OnClosed() override;

 private:
  // What was answered and not queued in the session yet.
  struct Answer {
    std::optional<api::HttpReply> head;
    SliceList body;
    bool is_streamed = false;
    bool has_ended = false;
  };
  // A copy of the head, for a request whose body is still to come.
  struct KeptHead {
    explicit KeptHead(const api::HttpRequestHead& head);
    std::string text;
    api::HttpRequestHead views;
  };

  ~RestCall() override;

  // net::LoopTask: answers of other threads.
  void RunOnLoop() override;
  void DropUnrun() override { DropRef(); }

  bool PlanBody(const api::HttpRequestHead& head);
  void Dispatch(const api::HttpRequestHead& head, Slice body);
  void Refuse(int status, std::string_view message);
  template <typename Change>
  void Deliver(const Change& change);
  void Apply(Answer&& answer);
  void QueueHead(const api::HttpReply& head, uint64_t body_size, bool is_streamed);

  std::optional<KeptHead> head_;  // while the body is coming
  std::optional<BodyBuffer> body_;
  Slice whole_;            // the body, when it came in one piece
  uint64_t expected_ = 0;  // content-length
  bool has_expected_ = false;
  uint64_t max_body_ = 0;
  bool is_head_method_ = false;
  bool is_head_sent_ = false;
  bool is_finished_ = false;  // the answer is queued completely
  RefPtr<Responder> responder_;
  Outbox<Answer> outbox_;
};

}  // namespace pt::server
