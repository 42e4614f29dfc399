// Http2Session: the server's end of one HTTP/2 connection (RFC 9113) without sockets: received
// bytes go in, requests and their DATA come out as events; answers are queued, frames come out on
// Produce. A thin face of libnghttp2, which keeps the protocol's state; this file adds what a
// server must limit and bodies that leave without being copied.
//
// Thread rule: belongs to one thread at a time.
// Owner rule: borrows events, output and every open Http2Stream (until OnClose). Events are called
// from Receive, Produce and the destructor; they may call everything but Receive, Produce and the
// destructor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/block.h"
#include "base/status.h"
#include "wire/http2_head.h"
#include "wire/http2_stream.h"

struct nghttp2_session;

namespace pt::wire {

// Error codes that we send or look at (RFC 9113 7).
enum class Http2Error : uint32_t {
  kNone = 0,
  kProtocol = 1,
  kInternal = 2,
  kRefusedStream = 7,
  kCancel = 8,
  kEnhanceYourCalm = 11,
};

struct Http2Limits {
  uint32_t max_streams = 1024;           // at once
  uint32_t stream_window = 16 << 20;     // bytes a stream may send ahead
  uint32_t connection_window = 1 << 30;  // bytes all streams together may send ahead
  uint32_t max_frame = 1 << 20;          // of a received frame
  size_t max_unsent = 1 << 20;           // of a stream's answer; above, it may send no more
  size_t max_header_bytes = 64 << 10;    // of one request, counted as RFC 9113 6.5.2 does
  // Streams the client opened and reset again: so many at once, and so many a second for long
  // (rapid reset). Far above what clients with short deadlines do, far below what hurts.
  uint64_t reset_burst = 10000;
  uint64_t resets_per_second = 2000;
  // Frames that carry no request and no data (PING, SETTINGS, WINDOW_UPDATE, PRIORITY, empty DATA,
  // unknown ones): so many more than the useful ones have earned.
  int64_t idle_frames = 10000;
};

// How long the bytes of fields that are sent live.
enum class FieldBytes {
  kStatic,  // as long as the session
  kCopied,  // for the call only
};

enum class BodyFollows { kNo, kYes };

// What happens on the connection.
class Http2Events {
 public:
  // A request began. Accept a stream for it now; if none was, it is refused (RST_STREAM).
  virtual void OnRequest(const Http2Head& head) = 0;
  // Bytes of the request's body; a view of what was given to Receive.
  virtual void OnData(Http2Stream* stream, std::string_view bytes) = 0;
  // The request is complete. Not called for one without a body.
  virtual void OnEnd(Http2Stream* stream) = 0;
  // The session has forgotten the stream; whether it ended well or not.
  virtual void OnClose(Http2Stream* stream, Http2Error error) = 0;

 protected:
  ~Http2Events() = default;
};

class Http2Session {
 public:
  // Errors: Unavailable without memory.
  static Result<std::unique_ptr<Http2Session>> Create(const Http2Limits& limits,
                                                      Http2Events* events, Http2Output* output);
  ~Http2Session();  // OnClose for every open stream
  Http2Session(const Http2Session&) = delete;
  Http2Session& operator=(const Http2Session&) = delete;

  // Takes all of `bytes`. An error (InvalidArgument) ends the connection: Produce once more, which
  // sends a GOAWAY with the reason, then close.
  Status Receive(std::string_view bytes);
  // Writes frames until about `budget` bytes were written or nothing is left; true: more is left.
  bool Produce(size_t budget);
  // Nothing will be received or sent any more: close the connection.
  bool is_finished() const;
  // Something is queued to be sent.
  bool wants_write() const;
  size_t open_streams() const { return open_streams_; }

  // During OnRequest only: `stream` stands for the request from now on, until OnClose.
  void Accept(Http2Stream* stream);

  // The rest is for open streams (between Accept and OnClose).

  // The head of the answer: fields begin with ":status".
  void SendHead(Http2Stream* stream, std::span<const Http2Field> fields, FieldBytes bytes,
                BodyFollows follows);
  // An interim head (1xx).
  void SendInterimHead(Http2Stream* stream, std::span<const Http2Field> fields);
  // Queues bytes of the body. REQUIRES: after SendHead, not ended; lead has at most 7 bytes.
  void Queue(Http2Stream* stream, std::string_view lead, Slice bytes);
  // No more body. The fields' span, and with kStatic their bytes, too, must live as long as the
  // stream is open.
  void End(Http2Stream* stream);
  void EndWithTrailers(Http2Stream* stream, std::span<const Http2Field> fields, FieldBytes bytes);
  void Reset(Http2Stream* stream, Http2Error error);

  // Calls `visit(Http2Stream*)` for each open stream.
  template <typename Visit>
  void ForEachStream(const Visit& visit) {
    for (Http2Stream* stream = streams_; stream != nullptr; stream = stream->next_) visit(stream);
  }

  // Tells the client that the connection will end: it opens no new streams, those that crossed the
  // message on the wire are still taken (RFC 9113 6.8). Then, a round trip later, the last word.
  void AnnounceGoAway();
  void GoAway(Http2Error error);

 private:
  struct Callbacks;  // what nghttp2 calls, in http2.cc
  Http2Session(const Http2Limits& limits, Http2Events* events, Http2Output* output);
  Status Open();
  void OpenRequest(int32_t id, bool has_body);
  void Ended(Http2Stream* stream);
  void Detach(Http2Stream* stream);
  void Resume(Http2Stream* stream);
  void Consumed(Http2Stream* stream, size_t size);
  void ReturnCredit(Http2Stream* stream);
  bool CountFrame(bool is_useful);
  Status EndOf(ptrdiff_t error);

  const Http2Limits limits_;
  Http2Events* const events_;
  Http2Output* const output_;
  nghttp2_session* session_ = nullptr;
  Http2Stream* streams_ = nullptr;  // open ones, linked
  Http2Stream* latest_ = nullptr;   // the open one that was last looked up
  size_t open_streams_ = 0;
  size_t produced_ = 0;  // in this Produce
  size_t budget_ = 0;
  size_t consumed_ = 0;  // bytes of this Receive that the client gets credit for
  int64_t idle_frames_ = 0;
  const char* end_reason_ = nullptr;  // why we end the connection ourselves

  Http2HeadBuilder head_;  // only one head can be on its way at a time (RFC 9113 4.3)
  int32_t opening_ = 0;    // the stream that OnRequest is called for
  bool opening_has_body_ = false;
};

}  // namespace pt::wire
