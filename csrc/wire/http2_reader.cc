#include "wire/http2_reader.h"

#include <algorithm>
#include <cstring>

namespace pt::wire {
namespace {

// A client needs six of them; more than fit here are an attack on whoever applies them.
constexpr size_t kMaxSettings = 32;
constexpr size_t kPrioritySize = 5;
constexpr size_t kGoAwaySize = 8;

constexpr Http2Fault kFine{};

Http2Fault FrameSize(const char* reason) { return {Http2Error::kFrameSize, reason}; }

bool IsControl(Http2FrameType type) {
  switch (type) {
    case Http2FrameType::kPriority:
    case Http2FrameType::kRstStream:
    case Http2FrameType::kSettings:
    case Http2FrameType::kPing:
    case Http2FrameType::kGoAway:
    case Http2FrameType::kWindowUpdate:
      return true;
    default:
      return false;
  }
}

}  // namespace

Http2Fault Http2Reader::Read(std::string_view bytes) {
  while (!bytes.empty()) {
    const Http2Fault fault = Step(&bytes);
    if (!fault.ok()) return fault;
  }
  return kFine;
}

Http2Fault Http2Reader::Step(std::string_view* bytes) {
  switch (state_) {
    case State::kPreface:
      return TakePreface(bytes);
    case State::kHead:
      return TakeHead(bytes);
    case State::kLead:
      return TakeLead(bytes);
    case State::kBody:
      return TakeBody(bytes);
    case State::kBlock:
      return TakeBlock(bytes);
    case State::kControl:
      return TakeControl(bytes);
    case State::kSkip:
      return TakeSkipped(bytes);
  }
  return kFine;
}

Http2Fault Http2Reader::TakePreface(std::string_view* bytes) {
  const std::string_view rest = kHttp2Preface.substr(collected_);
  const size_t count = std::min(rest.size(), bytes->size());
  if (bytes->substr(0, count) != rest.substr(0, count)) {
    return Http2Fault::Protocol("no HTTP/2 preface");
  }
  bytes->remove_prefix(count);
  collected_ += count;
  if (count == rest.size()) {
    collected_ = 0;
    state_ = State::kHead;
  }
  return kFine;
}

// `count` bytes in one piece, where they came if they came together. Empty: more must come.
std::string_view Http2Reader::Collect(size_t count, std::string_view* bytes) {
  if (collected_ == 0 && bytes->size() >= count) {
    const std::string_view whole = bytes->substr(0, count);
    bytes->remove_prefix(count);
    return whole;
  }
  const size_t part = std::min(count - collected_, bytes->size());
  std::memcpy(small_.data() + collected_, bytes->data(), part);
  bytes->remove_prefix(part);
  collected_ += part;
  if (collected_ < count) return {};
  collected_ = 0;
  return {small_.data(), count};
}

Http2Fault Http2Reader::TakeHead(std::string_view* bytes) {
  const std::string_view head = Collect(kHttp2FrameHeadSize, bytes);
  if (head.empty()) return kFine;
  frame_ = ReadFrameHead(head.data());
  return BeginFrame();
}

Http2Fault Http2Reader::BeginFrame() {
  if (const Http2Fault fault = CheckFrame(); !fault.ok()) return fault;
  if (const Http2Fault fault = sink_->OnFrame(frame_); !fault.ok()) return fault;
  has_settings_ = true;
  left_ = frame_.size;
  padding_ = lead_size_ = 0;
  if (IsControl(frame_.type)) {
    if (const Http2Fault fault = CheckSize(); !fault.ok()) return fault;
    control_size_ = frame_.type == Http2FrameType::kGoAway ? kGoAwaySize : frame_.size;
    state_ = State::kControl;
    // Only SETTINGS may be empty (an acknowledgement).
    if (left_ != 0) return kFine;
    EndPayload();
    return sink_->OnControl(frame_, {});
  }
  const bool is_data = frame_.type == Http2FrameType::kData;
  const bool is_headers = frame_.type == Http2FrameType::kHeaders;
  if (is_headers) block_ = frame_;
  if ((is_data || is_headers) && frame_.has(kHttp2Padded)) lead_size_ = 1;
  if (is_headers && frame_.has(kHttp2Priority)) lead_size_ += kPrioritySize;
  if (lead_size_ > left_) return FrameSize("a frame that is shorter than its padding or priority");
  if (lead_size_ != 0) {
    state_ = State::kLead;
    return kFine;
  }
  if (is_data || is_headers || frame_.type == Http2FrameType::kContinuation) return BeginPayload();
  state_ = left_ == 0 ? State::kHead : State::kSkip;  // a type that we don't know (4.1)
  return kFine;
}

// What holds for frames of all types, whatever stream they are for.
Http2Fault Http2Reader::CheckFrame() const {
  if (frame_.size > max_frame_) return FrameSize("a frame larger than SETTINGS_MAX_FRAME_SIZE");
  if (!has_settings_ && (frame_.type != Http2FrameType::kSettings || frame_.has(kHttp2Ack))) {
    return Http2Fault::Protocol("a first frame that is not SETTINGS");
  }
  const bool continues = frame_.type == Http2FrameType::kContinuation;
  if (is_in_block_ && (!continues || frame_.stream_id != block_.stream_id)) {
    return Http2Fault::Protocol("a frame amid a header block");
  }
  if (!is_in_block_ && continues) return Http2Fault::Protocol("CONTINUATION without HEADERS");
  if (frame_.type == Http2FrameType::kPushPromise) {
    return Http2Fault::Protocol("PUSH_PROMISE from a client");
  }
  return kFine;
}

// The sizes of control frames (6.3 to 6.9).
Http2Fault Http2Reader::CheckSize() const {
  const size_t size = frame_.size;
  switch (frame_.type) {
    case Http2FrameType::kPriority:
      return size == kPrioritySize ? kFine : FrameSize("PRIORITY that has not 5 bytes");
    case Http2FrameType::kRstStream:
      return size == 4 ? kFine : FrameSize("RST_STREAM that has not 4 bytes");
    case Http2FrameType::kPing:
      return size == 8 ? kFine : FrameSize("PING that has not 8 bytes");
    case Http2FrameType::kWindowUpdate:
      return size == 4 ? kFine : FrameSize("WINDOW_UPDATE that has not 4 bytes");
    case Http2FrameType::kGoAway:
      return size >= kGoAwaySize ? kFine : FrameSize("GOAWAY of less than 8 bytes");
    default:
      break;
  }
  if (frame_.has(kHttp2Ack) && size != 0) return FrameSize("an acknowledgement with settings");
  if (size % kHttp2SettingSize != 0) return FrameSize("SETTINGS that are cut");
  if (size > kMaxSettings * kHttp2SettingSize) {
    return {Http2Error::kEnhanceYourCalm, "more than 32 settings"};
  }
  return kFine;
}

Http2Fault Http2Reader::TakeLead(std::string_view* bytes) {
  const std::string_view lead = Collect(lead_size_, bytes);
  if (lead.empty()) return kFine;
  left_ -= lead_size_;
  if (frame_.has(kHttp2Padded)) padding_ = static_cast<uint8_t>(lead[0]);
  if (padding_ > left_) return Http2Fault::Protocol("more padding than payload");
  left_ -= padding_;
  return BeginPayload();
}

// What a frame is there for, behind its lead.
Http2Fault Http2Reader::BeginPayload() {
  return frame_.type == Http2FrameType::kData ? BeginBody() : BeginBlock();
}

Http2Fault Http2Reader::BeginBody() {
  state_ = State::kBody;
  if (const Http2Fault fault = sink_->OnDataFrame(frame_); !fault.ok()) return fault;
  if (left_ != 0) return kFine;
  EndPayload();
  return sink_->OnDataEnd(frame_);
}

Http2Fault Http2Reader::BeginBlock() {
  state_ = State::kBlock;
  if (!is_in_block_) is_block_first_ = true;
  is_in_block_ = !frame_.has(kHttp2EndHeaders);
  if (left_ != 0) return kFine;
  std::string_view none;  // an empty block has no bytes to wait for
  return TakeBlock(&none);
}

std::string_view Http2Reader::TakePart(std::string_view* bytes) {
  const std::string_view part = bytes->substr(0, left_);
  bytes->remove_prefix(part.size());
  left_ -= part.size();
  return part;
}

Http2Fault Http2Reader::TakeBody(std::string_view* bytes) {
  const Http2Fault fault = sink_->OnDataPiece(TakePart(bytes));
  return fault.ok() ? SkipBody(0) : fault;
}

Http2Fault Http2Reader::SkipBody(size_t count) {
  left_ -= count;
  if (left_ != 0) return kFine;
  EndPayload();
  return sink_->OnDataEnd(frame_);
}

Http2Fault Http2Reader::TakeBlock(std::string_view* bytes) {
  Http2FrameSink::BlockPiece piece;
  piece.bytes = TakePart(bytes);
  piece.is_first = is_block_first_;
  piece.is_last = left_ == 0 && frame_.has(kHttp2EndHeaders);
  is_block_first_ = false;
  if (left_ == 0) EndPayload();
  return sink_->OnBlock(block_, piece);
}

Http2Fault Http2Reader::TakeControl(std::string_view* bytes) {
  const std::string_view payload = Collect(control_size_, bytes);
  if (payload.empty()) return kFine;
  left_ -= control_size_;
  EndPayload();
  return sink_->OnControl(frame_, payload);
}

Http2Fault Http2Reader::TakeSkipped(std::string_view* bytes) {
  TakePart(bytes);
  if (left_ == 0) state_ = State::kHead;
  return kFine;
}

// What was of use is read; padding, or the rest of a GOAWAY, may follow.
void Http2Reader::EndPayload() {
  left_ += padding_;
  padding_ = 0;
  state_ = left_ == 0 ? State::kHead : State::kSkip;
}

}  // namespace pt::wire
