// Http2Reader: cuts the bytes of one HTTP/2 connection into frames (RFC 9113 4.1), however they
// were cut on their way. Checks what can be said of a frame without knowing any stream: the
// preface, sizes, padding, and that a header block is not interrupted. Bodies and header blocks go
// on piece by piece, uncopied; only the few bytes of control frames are collected.
//
// Thread rule: belongs to one thread at a time. Owner rule: borrows its sink.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "wire/http2_frame.h"

namespace pt::wire {

// What the reader found. A fault ends the connection; nothing else is called after it.
class Http2FrameSink {
 public:
  // A frame begins, of any type.
  virtual Http2Fault OnFrame(const Http2FrameHead& frame) = 0;
  // The payload of a PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY (its first 8 bytes) or
  // WINDOW_UPDATE frame.
  virtual Http2Fault OnControl(const Http2FrameHead& frame, std::string_view payload) = 0;
  // A piece of a header block, of a HEADERS frame or those that continue it. `is_first`: of the
  // block; `is_last`: the block is complete. `frame`: the HEADERS frame. May be empty.
  struct BlockPiece {
    std::string_view bytes;
    bool is_first = false;
    bool is_last = false;
  };
  virtual Http2Fault OnBlock(const Http2FrameHead& frame, const BlockPiece& piece) = 0;
  // A DATA frame begins, padding included; then its bytes, then its end.
  virtual Http2Fault OnDataFrame(const Http2FrameHead& frame) = 0;
  virtual Http2Fault OnDataPiece(std::string_view bytes) = 0;
  virtual Http2Fault OnDataEnd(const Http2FrameHead& frame) = 0;

 protected:
  ~Http2FrameSink() = default;
};

class Http2Reader {
 public:
  // `max_frame`: of a payload, in bytes.
  Http2Reader(uint32_t max_frame, Http2FrameSink* sink) : max_frame_(max_frame), sink_(sink) {}

  // Takes all of `bytes`, unless there is a fault.
  Http2Fault Read(std::string_view bytes);

  // How much of a DATA frame's body is still to come; 0: something else comes next.
  size_t body_left() const { return state_ == State::kBody ? left_ : 0; }
  // The payload of the frame under way, or of the last one.
  size_t frame_size() const { return frame_.size; }
  // How many bytes tell what comes next: of a frame's head that has not begun; 0: it has.
  size_t head_left() const {
    return state_ == State::kHead && collected_ == 0 ? kHttp2FrameHeadSize : 0;
  }
  // The next `count` bytes of the body were taken elsewhere. REQUIRES: count <= body_left().
  Http2Fault SkipBody(size_t count);

 private:
  enum class State : uint8_t {
    kPreface,
    kHead,     // of a frame
    kLead,     // the padding's size and the priority, before a body or a block
    kBody,     // of DATA
    kBlock,    // of HEADERS and CONTINUATION
    kControl,  // collected whole
    kSkip,     // padding, and what nobody looks at
  };

  Http2Fault Step(std::string_view* bytes);
  Http2Fault TakePreface(std::string_view* bytes);
  Http2Fault TakeHead(std::string_view* bytes);
  Http2Fault TakeLead(std::string_view* bytes);
  Http2Fault TakeBody(std::string_view* bytes);
  Http2Fault TakeBlock(std::string_view* bytes);
  Http2Fault TakeControl(std::string_view* bytes);
  Http2Fault TakeSkipped(std::string_view* bytes);
  Http2Fault BeginFrame();
  Http2Fault CheckFrame() const;
  Http2Fault CheckSize() const;
  Http2Fault BeginPayload();
  Http2Fault BeginBody();
  Http2Fault BeginBlock();
  void EndPayload();
  std::string_view Collect(size_t count, std::string_view* bytes);
  std::string_view TakePart(std::string_view* bytes);

  const uint32_t max_frame_;
  Http2FrameSink* const sink_;
  State state_ = State::kPreface;
  bool is_in_block_ = false;     // HEADERS came without END_HEADERS
  bool is_block_first_ = false;  // nothing of the block was passed on yet
  bool has_settings_ = false;    // the client's first frame came
  uint8_t lead_size_ = 0;        // bytes of the lead
  uint8_t padding_ = 0;
  size_t collected_ = 0;
  size_t left_ = 0;          // of the payload without padding
  size_t control_size_ = 0;  // bytes of a control frame that are looked at
  Http2FrameHead frame_;
  Http2FrameHead block_;         // the HEADERS frame of the block under way
  std::array<char, 256> small_;  // what is collected
};

}  // namespace pt::wire
