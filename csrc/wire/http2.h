// Http2Session: the server's end of one HTTP/2 connection (RFC 9113) without sockets: received
// bytes go in, requests and their DATA come out as events; answers are queued, frames come out on
// Produce. It keeps the streams' states and windows and limits what a client may cost; frames are
// cut by Http2Reader, header blocks read by HpackDecoder (libnghttp2), answers framed by
// Http2Sender.
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
#include "base/clock.h"
#include "base/status.h"
#include "wire/hpack_decoder.h"
#include "wire/http2_frame.h"
#include "wire/http2_head.h"
#include "wire/http2_reader.h"
#include "wire/http2_sender.h"
#include "wire/http2_stream.h"

namespace pt::wire {

struct Http2Limits {
  uint32_t max_streams = 1024;           // at once
  uint32_t stream_window = 16 << 20;     // bytes a stream may send ahead
  uint32_t connection_window = 1 << 30;  // bytes all streams together may send ahead
  uint32_t max_frame = 1 << 20;          // of a received frame
  size_t max_unsent = 1 << 20;           // of a stream's answer; above, it may send no more
  size_t max_header_bytes = 64 << 10;    // of one request, counted as RFC 9113 6.5.2 does
  // Streams that the client opened and that were reset again, by it or for its fault: so many at
  // once, and so many a second for long (rapid reset). Far above what clients with short deadlines
  // do, far below what hurts.
  uint64_t reset_burst = 10000;
  uint64_t resets_per_second = 2000;
  // Frames that carry no request and no data (PING, SETTINGS, WINDOW_UPDATE, PRIORITY, empty DATA,
  // unknown ones): so many more than requests, answers and time have earned.
  int64_t idle_frames = 10000;
  int64_t idle_frames_per_second = 10;  // keepalive on a connection that rests
};

// How long fields that are sent live.
enum class FieldBytes {
  kStatic,  // as long as the session; they cost next to nothing when they are sent again
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

class Http2Session final : private Http2FrameSink, private Http2SenderEvents {
 public:
  // Errors: Unavailable without memory.
  static Result<std::unique_ptr<Http2Session>> Create(const Http2Limits& limits,
                                                      Http2Events* events, Http2Output* output);
  ~Http2Session();  // OnClose for every open stream
  Http2Session(const Http2Session&) = delete;
  Http2Session& operator=(const Http2Session&) = delete;

  // Takes all of `bytes`, which came at `now`. An error (InvalidArgument) ends the connection:
  // Produce once more, which sends a GOAWAY with the reason, then close.
  Status Receive(std::string_view bytes, TimePoint now);

  // Large bodies may be received where they belong instead of being given to Receive. These say
  // what comes next, and that it was taken.

  // The open stream whose DATA comes next; null: something else does.
  Http2Stream* reading() const {
    return reading_ != nullptr && reading_->reset_ ? nullptr : reading_;
  }
  // How many bytes of its DATA come next. REQUIRES: reading() is not null.
  size_t data_left() const;
  // The size of the frame that they are of. REQUIRES: as above.
  size_t data_frame_size() const { return reader_.frame_size(); }
  // The size of the frame's head that comes next; 0: something else does.
  size_t frame_head_left() const { return reader_.head_left(); }
  // `count` bytes of DATA came at `now` and are where they belong: there is no OnData for them.
  // Errors as for Receive. REQUIRES: count <= data_left().
  Status ReceivedData(size_t count, TimePoint now);

  // Writes frames until about `budget` bytes were written or nothing is left; true: more is left.
  bool Produce(size_t budget);
  // Nothing will be received or sent any more: close the connection.
  bool is_finished() const;
  // Something is queued to be sent.
  bool wants_write() const;
  size_t open_streams() const { return streams_.size(); }

  // During OnRequest only: `stream` stands for the request from now on, until OnClose.
  void Accept(Http2Stream* stream);

  // The rest is for open streams (between Accept and OnClose).

  // The head of the answer: fields begin with ":status".
  void SendHead(Http2Stream* stream, std::span<const Http2Field> fields, FieldBytes bytes,
                BodyFollows follows);
  // An interim head (1xx). REQUIRES: before SendHead.
  void SendInterimHead(Http2Stream* stream, std::span<const Http2Field> fields);
  // Queues bytes of the body. REQUIRES: after SendHead, not ended; lead has at most 7 bytes.
  void Queue(Http2Stream* stream, std::string_view lead, Slice bytes);
  // No more body.
  void End(Http2Stream* stream);
  void EndWithTrailers(Http2Stream* stream, std::span<const Http2Field> fields, FieldBytes bytes);
  void Reset(Http2Stream* stream, Http2Error error);

  // Calls `visit(Http2Stream*)` for each open stream.
  template <typename Visit>
  void ForEachStream(const Visit& visit) {
    for (Http2Stream* stream = streams_.first(); stream != nullptr; stream = stream->next_) {
      visit(stream);
    }
  }

  // Tells the client that the connection will end: it opens no new streams, those that crossed the
  // message on the wire are still taken (RFC 9113 6.8). Then, a round trip later, the last word.
  void AnnounceGoAway();
  void GoAway(Http2Error error);

 private:
  Http2Session(const Http2Limits& limits, Http2Events* events, Http2Output* output);
  void Greet();
  Status EndReceive(Http2Fault fault);

  // Http2FrameSink
  Http2Fault OnFrame(const Http2FrameHead& frame) override;
  Http2Fault OnControl(const Http2FrameHead& frame, std::string_view payload) override;
  Http2Fault OnBlock(const Http2FrameHead& frame, const BlockPiece& piece) override;
  Http2Fault OnDataFrame(const Http2FrameHead& frame) override;
  Http2Fault OnDataPiece(std::string_view bytes) override;
  Http2Fault OnDataEnd(const Http2FrameHead& frame) override;
  // Http2SenderEvents
  void OnBodyFramed(Http2Stream* stream, size_t count) override;
  void OnAnswerFramed(Http2Stream* stream) override;
  void OnResetDue(Http2Stream* stream) override;

  // Control frames, one kind each.
  Http2Fault OnSettings(const Http2FrameHead& frame, std::string_view payload);
  Http2Fault OnSetting(uint16_t setting, uint32_t value);
  Http2Fault ChangeInitialWindow(uint32_t window);
  Http2Fault OnRstStream(uint32_t id, Http2Error error);
  Http2Fault OnWindowUpdate(uint32_t id, uint32_t increment);

  // By the client, lately or long ago.
  bool WasOpened(uint32_t id) const { return IsClientStream(id) && id <= last_id_; }
  Http2Fault OnHead(const Http2FrameHead& frame);
  Http2Fault OpenRequest(const Http2FrameHead& frame);
  Http2Fault OnTrailers(const Http2FrameHead& frame, Http2Stream* stream);
  Http2Fault RefuseStream(uint32_t id, Http2Error error);
  Http2Fault ResetForFault(Http2Stream* stream, Http2Error error);
  Http2Fault CountReset();
  Http2Fault CountIdleFrame();
  void Earn(uint64_t idle_frames);
  void Ended(Http2Stream* stream);
  void Close(Http2Stream* stream, Http2Error error);
  void Consumed(Http2Stream* stream, size_t size);
  void GiveBack(Http2Stream* stream, size_t size);

  const Http2Limits limits_;
  Http2Events* const events_;
  std::unique_ptr<HpackDecoder> decoder_;
  Http2Reader reader_;
  Http2Sender sender_;
  Http2Streams streams_;
  bool is_failed_ = false;                // the last word says why
  bool said_goodbye_ = false;             // GoAway: later streams are not taken
  bool has_goodbye_ = false;              // the client's
  uint32_t last_id_ = 0;                  // the client's newest stream
  uint32_t last_taken_id_ = 0;            // the same, before GoAway
  int64_t window_ = kHttp2DefaultWindow;  // bytes that the client may still send
  size_t consumed_ = 0;                   // received bytes that the next WINDOW_UPDATE gives back
  int64_t idle_frames_ = 0;
  TimePoint idle_at_;    // what time earned until then is counted
  size_t framed_ = 0;    // bytes of answers that have earned nothing yet
  TimePoint now_;        // of this Receive
  TimePoint resets_at_;  // when the resets left were counted
  double resets_left_;
  size_t block_size_ = 0;  // of the header block under way

  Http2Stream* reading_ = nullptr;  // the stream of the DATA frame under way; null: it is ignored
  uint32_t opening_ = 0;            // the stream that OnRequest is called for
  bool opening_has_body_ = false;
};

}  // namespace pt::wire
