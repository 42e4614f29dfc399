// Http1Protocol: HTTP/1.1 and 1.0 on one connection: reads requests (pipelined ones too), gives
// them to the HttpService, writes the answers in the order of the requests.
//
// A client that leaves is noticed while its request is under way. FIN alone does not tell a client
// that left from one that only has nothing more to say; see ProbeClient.
//
// Thread rule: loop driver only. Owner rule: owned by its Connection.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/body_buffer.h"
#include "server/connection.h"
#include "server/http1_call.h"
#include "wire/http1.h"

namespace pt::server {

class Http1Protocol final : public Protocol {
 public:
  explicit Http1Protocol(Connection* connection);
  ~Http1Protocol() override;

  void OnBytes(net::ReadBuffer& in) override;
  Target DirectTarget() override;
  void OnDirectBytes(size_t count) override;
  void OnEof() override;
  void BeforeFlush() override;
  void OnTick(TimePoint now) override;
  void BeginDrain() override;
  void FailCalls(const std::string& reason) override;
  void OnClosed() override;

 private:
  enum class State { kHead, kLengthBody, kChunkedBody, kDone };
  // A body that comes in several reads, with a copy of the head it belongs to.
  struct Body {
    Body(BlockPool* pool, MemoryBudget* budget, uint64_t align_offset)
        : buffer(pool, budget, align_offset) {}
    std::string head_text;
    BodyBuffer buffer;
    uint64_t expected = 0;                           // kLengthBody
    std::unique_ptr<wire::Http1ChunkedBody> chunks;  // kChunkedBody
  };

  bool ReadHead(net::ReadBuffer& in);
  bool AcceptHead(net::ReadBuffer& in, std::string_view head);
  wire::Http1Fault ParseHead(std::string_view head);
  // Decides about the body from the head; false: the request was refused.
  bool PlanBody(uint64_t* align_offset);
  bool StartBody(net::ReadBuffer& in, std::string_view head, uint64_t align_offset);
  bool ReadLengthBody(net::ReadBuffer& in);
  bool ReadChunkedBody(net::ReadBuffer& in);
  void DispatchBody();
  void Dispatch(Slice body, uint64_t claimed_bytes);
  void Refuse(int status, std::string_view message);
  RefPtr<Http1Call> NewCall(uint64_t claimed_bytes, bool keeps_alive);
  void AskForBody();
  void StopReadingRequests();
  void ForgetHead();
  void WriteAnswers();
  void ProbeClient();
  void Touch();

  Connection* const connection_;
  State state_ = State::kHead;
  wire::Http1HeadScanner scanner_;
  wire::Http1Request request_;
  api::HttpRequestHead head_;
  std::unique_ptr<Body> body_;
  std::vector<RefPtr<Http1Call>>
      calls_;  // in the order of their requests; the first is written first
  uint64_t max_body_ = 0;
  TimePoint head_started_;  // of the head that has not come completely
  TimePoint touched_;       // the last byte, or the last answer
  bool has_partial_head_ = false;
  bool owes_continue_ = false;  // "100 Continue" waits for the answers before it
  bool is_draining_ = false;
  bool has_eof_ = false;
};

}  // namespace pt::server
