// Http2Protocol: HTTP/2 on one connection: gRPC calls go to the GrpcService, all other requests to
// the HttpService. What was answered in a round leaves together, before the loop waits.
//
// Thread rule: loop driver only. Owner rule: owned by its Connection; its calls borrow it while
// they are open.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "server/connection.h"
#include "server/http2_call.h"
#include "wire/http2.h"

namespace pt::server {

class Http2Protocol final : public Protocol, private wire::Http2Events, private wire::Http2Output {
 public:
  using Deadlines = std::multimap<TimePoint, Http2Call*>;

  explicit Http2Protocol(Connection* connection);
  ~Http2Protocol() override;

  // Protocol
  void OnBytes(net::ReadBuffer& in) override;
  Target DirectTarget() override;
  void OnDirectBytes(size_t count) override;
  void OnEof() override;
  void BeforeFlush() override;
  void OnDrained() override { connection_->MarkDirty(); }
  void OnTick(TimePoint now) override;
  void BeginDrain() override;
  void FailCalls(const std::string& reason) override;
  void OnClosed() override;

  // Its calls' questions.
  Connection* connection() const { return connection_; }
  wire::Http2Session& session() const { return *session_; }
  bool is_draining() const { return is_draining_; }
  // A Slice on bytes that OnData was given. REQUIRES: during OnData.
  Slice SliceAt(std::string_view bytes) const {
    return reading_->SliceAt(bytes.data(), bytes.size());
  }
  Deadlines::iterator AddDeadline(TimePoint when, Http2Call* call);
  void RemoveDeadline(Deadlines::iterator entry) { deadlines_.erase(entry); }

 private:
  // wire::Http2Events
  void OnRequest(const wire::Http2Head& head) override;
  void OnData(wire::Http2Stream* stream, std::string_view bytes) override;
  void OnEnd(wire::Http2Stream* stream) override;
  void OnClose(wire::Http2Stream* stream, wire::Http2Error error) override;
  // wire::Http2Output
  void Write(std::string_view bytes) override { connection_->stream().Write(bytes); }
  void Write(Slice bytes) override { connection_->stream().Write(std::move(bytes)); }

  void AfterReceive(const Status& received);
  void StartGrpc(const wire::Http2Head& head);
  void StartRest(const wire::Http2Head& head);
  void ArmDeadlineTimer();
  void ExpireDeadlines();
  void SayGoodbye();
  void DrainCalls(Http2Call::DrainStep step);

  Connection* const connection_;
  api::HttpRequestHead head_;  // of the request that is starting; reused
  Deadlines deadlines_;
  TimePoint timer_at_ = kNoDeadline;  // when the armed timer fires
  net::ReadBuffer* reading_ = nullptr;
  Http2Call* receiving_ = nullptr;                          // the call that DATA came for last
  std::array<char, wire::kHttp2FrameHeadSize> frame_head_;  // received alone between such bytes
  TimePoint touched_;
  bool is_draining_ = false;
  bool said_goodbye_ = false;                    // the last GOAWAY is queued
  bool is_failed_ = false;                       // the client broke the protocol
  bool is_closing_ = false;                      // CloseAfterFlush was called
  std::unique_ptr<wire::Http2Session> session_;  // last: its destructor closes the calls
};

}  // namespace pt::server
