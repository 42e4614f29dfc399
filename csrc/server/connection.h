// Connection: one accepted socket. It reads, finds out which protocol the client speaks (sniffing),
// and gives the bytes to that Protocol, which writes to the stream and marks it dirty.
//
// Thread rule: loop driver only, but IsDrivenHere, Post and dropping references.
// Owner rule: counted: its loop holds it while it is open; calls under way (sinks) hold it, too.
// The last reference may be dropped by any thread: OnClosed has given back everything that belongs
// to the loop.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "api/http_call.h"
#include "base/ref_counted.h"
#include "net/read_buffer.h"
#include "net/stream.h"
#include "server/loop_context.h"

namespace pt::server {

// One protocol on one connection. Thread rule: loop driver only (its destructor: any thread).
class Protocol {
 public:
  virtual ~Protocol() = default;
  // New bytes: consume from `in`; what is left comes again, together with what follows.
  virtual void OnBytes(net::ReadBuffer& in) = 0;
  // Where the next bytes shall be received straight away; empty: into the read buffer.
  struct Target {
    char* data = nullptr;
    size_t size = 0;
  };
  virtual Target DirectTarget() { return {}; }
  virtual void OnDirectBytes(size_t count) {}
  // The client has sent FIN. Calls under way may still be answered.
  virtual void OnEof() = 0;
  // Called once before each gathered send: frames what is pending. Must not call into the api: what
  // that collects would wait for the next event. (ResumeReading is fine: it feeds later.)
  virtual void BeforeFlush() {}
  // What is queued fell below the low mark (net::Stream): go on producing. The same rule.
  virtual void OnDrained() {}
  // About once a second: time-outs.
  virtual void OnTick(TimePoint now) = 0;
  // The server stops: take no new calls, finish those under way, then Connection::CloseAfterFlush.
  // A stream that could idle for ever is half-closed by us (as if its client had said it is done),
  // so that the api ends it when its last answer was sent.
  virtual void BeginDrain() = 0;
  // The server's patience ended: answer every call under way with an error that says `reason` and
  // cancel it. BeginDrain was called before.
  virtual void FailCalls(const std::string& reason) {}
  // The socket is closed. Cancel every call; touch neither stream nor loop any more.
  virtual void OnClosed() = 0;
};

class Connection final : public RefCounted,
                         private net::StreamHandler,
                         private net::Flushable,
                         private net::LoopTask {
 public:
  // Takes `fd` over.
  Connection(RefPtr<LoopContext> context, int fd, api::PortRole role);
  // Speaks TLS from the first byte on. REQUIRES: before Open.
  void Secure(std::unique_ptr<net::TlsSession> session);
  // Begins to read; false: it could not (the descriptor is closed).
  bool Open();

  LoopContext& context() const { return *context_; }
  const Services& services() const { return context_->services(); }
  net::Stream& stream() { return stream_; }
  api::PortRole role() const { return role_; }
  bool is_open() const { return is_open_; }

  // The one question a sink asks: may I touch the connection on this thread, now?
  bool IsDrivenHere() const { return context_->IsDrivenHere(); }
  // Any thread. After the loop has closed the task is dropped.
  void Post(net::LoopTask* task) { context_->loop().Post(task); }

  // The protocol has bytes to send (queued in the stream or waiting for BeforeFlush).
  void MarkDirty() {
    if (is_open_) context_->loop().FlushLater(this);
  }
  // Closes at once (also from inside a Protocol callback; the Protocol object lives on).
  void Close();
  // Closes when everything queued was sent: FIN first, then what the client still sends is thrown
  // away for a moment, so that it reads our last words instead of a reset.
  void CloseAfterFlush();
  // Reading stops (back-pressure) and goes on; bytes left in the buffer are given again soon after
  // Resume (never from inside it).
  void PauseReading();
  void ResumeReading();
  bool is_reading_paused() const { return is_paused_; }

  // The loop's calls.
  void Tick(TimePoint now);
  void BeginDrain();
  void FailCalls(const std::string& reason);
  bool is_lingering() const { return is_lingering_; }

 private:
  friend class LoopContext;
  ~Connection() override;

  // net::StreamHandler
  void OnReadable() override;
  void OnWritable() override;
  void OnBroken() override;
  void OnDrained() override;
  // net::Flushable
  void FlushNow() override;
  // net::LoopTask: what ResumeReading posts.
  void RunOnLoop() override;
  void DropUnrun() override;

  void ReadIntoBuffer();
  void OnRead(net::ReadResult result);
  void Feed();
  bool Sniff();
  void Discard();
  void CloseIfStuck(TimePoint now);

  const RefPtr<LoopContext> context_;
  const api::PortRole role_;
  net::Stream stream_;
  net::ReadBuffer in_;
  std::unique_ptr<Protocol> protocol_;
  size_t slot_ = 0;                       // LoopContext's: the place in its list
  TimePoint first_byte_;                  // of the bytes that are sniffed, or of the handshake
  TimePoint linger_until_ = kNoDeadline;  // after FIN
  uint64_t sent_before_ = 0;              // sent_total when it was seen to change last
  TimePoint sent_at_;
  bool is_open_ = false;
  bool is_paused_ = false;
  bool is_feed_posted_ = false;
  bool is_closing_ = false;    // CloseAfterFlush was called
  bool is_lingering_ = false;  // our FIN is sent
  bool has_eof_ = false;       // the client's FIN came
  bool is_draining_ = false;
};

}  // namespace pt::server
