// Http1Call: one HTTP/1.1 request under way, as the api's HttpReplySink: keeps the answer, or what
// came of it so far, until its turn on the connection has come.
//
// Thread rule: Send, SendHead, SendChunk and End from any thread, one at a time; on a thread that
// does not drive the connection's loop they leave the answer in an outbox and post. All else: loop
// driver only. Owner rule: counted: its connection's queue and the api hold it.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "api/http_call.h"
#include "base/gate.h"
#include "base/mutex.h"
#include "net/loop.h"
#include "server/connection.h"

namespace pt::server {

// What of its request an answer depends on.
struct Http1CallTraits {
  int minor_version = 1;
  bool is_head = false;
  bool keeps_alive = true;
  uint64_t claimed_bytes = 0;  // of the memory budget; returned when the call ends
  std::string label;           // "GET /v2/health/live", for the log; empty when nobody logs
};

class Http1Call final : public InCells, public api::HttpReplySink, private net::LoopTask {
 public:
  Http1Call(RefPtr<Connection> connection, Http1CallTraits traits);

  // api::HttpReplySink.
  void Send(api::HttpReply&& reply) override;
  void SendHead(api::HttpReply&& head) override;
  void SendChunk(SliceList&& bytes) override;
  void End() override;
  void CancelWith(RefPtr<Responder> responder) override { responder_ = std::move(responder); }

  // Its connection's calls, all on the loop.
  // Writes what has come of the answer. True: that was all of it.
  bool WriteTo(net::Stream* stream);
  // The connection ends after this answer; say so in its head.
  void SetLast() { traits_.keeps_alive = false; }
  bool keeps_alive() const { return traits_.keeps_alive; }
  int minor_version() const { return traits_.minor_version; }
  bool is_head_written() const { return is_head_written_; }
  // Cancels it and answers `error` in the place of what the api sends from now on. Nothing happens
  // when the answer is complete; one that was begun ends early.
  void Fail(api::HttpReply&& error);
  // The client is gone: tells the model, and drops whatever answer may come.
  void Abandon();

 private:
  // What was sent and not written yet.
  struct Answer {
    std::optional<api::HttpReply> reply;
    bool is_streamed = false;
    std::vector<SliceList> chunks;
    bool has_ended = false;
  };

  ~Http1Call() override;
  template <typename Change>
  void Deliver(Change change);
  void TakeOutbox();
  void OnAnswer();
  void RunOnLoop() override;
  void DropUnrun() override { DropRef(); }
  void WriteHead(net::Stream* stream);
  void WriteChunks(net::Stream* stream);
  void Finish();

  const RefPtr<Connection> connection_;
  Http1CallTraits traits_;
  Gate* gate_;                   // until Finish
  RefPtr<Responder> responder_;  // until the answer is complete: it holds this object in turn
  Answer answer_;
  int status_ = 0;
  bool is_chunked_ = false;
  bool is_head_written_ = false;
  bool is_deaf_ = false;  // what the api sends is dropped

  std::atomic<bool> is_posted_{false};  // the outbox holds something, and RunOnLoop will come
  Mutex mu_;
  Answer outbox_ GUARDED_BY(mu_);
};

}  // namespace pt::server
