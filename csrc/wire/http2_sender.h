// Http2Sender: what leaves on one HTTP/2 connection: control frames at once, then the streams in
// turn, a frame each, as far as the client's windows reach (RFC 9113 5.2).
//
// Thread rule: belongs to one thread at a time. Owner rule: borrows its output, its events, and the
// streams that have something to send.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "wire/hpack_encoder.h"
#include "wire/http2_frame.h"
#include "wire/http2_stream.h"

namespace pt::wire {

// What became of streams, told from Produce only.
class Http2SenderEvents {
 public:
  // `count` bytes of its body were framed.
  virtual void OnBodyFramed(Http2Stream* stream, size_t count) = 0;
  // Its answer is complete. The stream is in no queue.
  virtual void OnAnswerFramed(Http2Stream* stream) = 0;
  // It was to be reset, and its turn has come.
  virtual void OnResetDue(Http2Stream* stream) = 0;

 protected:
  ~Http2SenderEvents() = default;
};

class Http2Sender {
 public:
  Http2Sender(Http2Output* output, Http2SenderEvents* events) : output_(output), events_(events) {}

  // Frames that belong to no answer: they go first.
  std::string& control() { return control_; }
  // The stream may have something to send.
  void Ready(Http2Stream* stream);
  // Writes frames until about `budget` bytes were written or nothing is left to write now.
  void Produce(size_t budget);
  // Writes control frames only.
  void ProduceControl();
  bool has_control() const { return !control_.empty(); }
  // A head that goes first, before the stream's own (1xx).
  void AppendInterimHead(uint32_t stream_id, std::span<const Http2Field> fields);
  bool wants_write() const { return !control_.empty() || !ready_.empty(); }
  bool is_used_up() const { return produced_ >= budget_; }  // the last Produce's budget

  // What the client said.
  void SetTableLimit(uint32_t limit) { encoder_.SetTableLimit(limit); }
  void SetMaxFrame(uint32_t size);
  uint32_t initial_window() const { return initial_window_; }
  void set_initial_window(uint32_t window) { initial_window_ = window; }
  // WINDOW_UPDATE of the connection. A fault: it exceeds what a window may be (6.9.1).
  Http2Fault Widen(uint32_t increment);

 private:
  void SendSome(Http2Stream* stream);
  // True: the head was the whole answer.
  bool AppendHead(Http2Stream* stream);
  void AppendTrailers(Http2Stream* stream);
  // A frame of the body, and the trailers, as far as they may go. True: the answer is complete.
  bool SendBody(Http2Stream* stream);
  bool IsBlocked(const Http2Stream& stream) const;
  void AppendDataHead(uint32_t stream_id, size_t size, bool is_last);
  size_t BeginBlock();
  void EndBlock(size_t begin, uint32_t stream_id, bool is_last);
  void WriteFrames();

  Http2Output* const output_;
  Http2SenderEvents* const events_;
  HpackEncoder encoder_;
  std::string control_;
  std::string frames_;  // built, and not written yet
  Http2StreamQueue ready_;
  Http2StreamQueue blocked_;  // by the connection's window
  int64_t window_ = kHttp2DefaultWindow;
  uint32_t initial_window_ = kHttp2DefaultWindow;
  size_t max_frame_ = kHttp2DefaultMaxFrame;
  size_t produced_ = 0;
  size_t budget_ = 0;
};

}  // namespace pt::wire
