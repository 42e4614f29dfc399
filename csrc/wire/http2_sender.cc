#include "wire/http2_sender.h"

#include <algorithm>

#include "base/status.h"

namespace pt::wire {
namespace {

// Larger DATA frames save nothing, but keep the other streams waiting.
constexpr size_t kMaxDataFrame = 256 << 10;

}  // namespace

void Http2Sender::SetMaxFrame(uint32_t size) { max_frame_ = std::min<size_t>(size, kMaxDataFrame); }

Http2Fault Http2Sender::Widen(uint32_t increment) {
  window_ += increment;
  if (window_ > kHttp2MaxWindow) {
    return {Http2Error::kFlowControl, "a connection's window over 2^31-1"};
  }
  ready_.Append(&blocked_);
  return {};
}

void Http2Sender::Ready(Http2Stream* stream) {
  if (stream->reset_) Http2StreamQueue::Remove(stream);  // it waits for no window any more
  if (stream->queue_ == nullptr && stream->has_output()) ready_.Push(stream);
}

void Http2Sender::ProduceControl() {
  if (control_.empty()) return;
  output_->Write(std::string_view(control_));
  produced_ += control_.size();
  control_.clear();
}

void Http2Sender::Produce(size_t budget) {
  produced_ = 0;
  budget_ = budget;
  ProduceControl();
  while (produced_ < budget && !ready_.empty()) SendSome(ready_.Pop());
  ProduceControl();  // what the streams left behind
}

void Http2Sender::SendSome(Http2Stream* stream) {
  if (stream->reset_) return events_->OnResetDue(stream);
  const bool is_head_all = !stream->is_head_sent_ && AppendHead(stream);
  const bool is_complete = is_head_all || SendBody(stream);
  WriteFrames();
  if (is_complete) return events_->OnAnswerFramed(stream);
  if (!stream->has_output()) return;
  (IsBlocked(*stream) ? blocked_ : ready_).Push(stream);
}

bool Http2Sender::IsBlocked(const Http2Stream& stream) const {
  return stream.unsent_ > 0 && window_ <= 0;
}

void Http2Sender::WriteFrames() {
  if (frames_.empty()) return;
  output_->Write(std::string_view(frames_));
  produced_ += frames_.size();
  frames_.clear();
}

// A header block is encoded where it is sent from, behind the place of its frame's head.
size_t Http2Sender::BeginBlock() {
  const size_t begin = frames_.size();
  frames_.append(kHttp2FrameHeadSize, '\0');
  return begin;
}

void Http2Sender::EndBlock(size_t begin, uint32_t stream_id, bool is_last) {
  const size_t size = frames_.size() - begin - kHttp2FrameHeadSize;
  const uint8_t end = is_last ? kHttp2EndStream : 0;
  if (size <= max_frame_) {
    const auto flags = static_cast<uint8_t>(end | kHttp2EndHeaders);
    return WriteFrameHead({static_cast<uint32_t>(size), Http2FrameType::kHeaders, flags, stream_id},
                          frames_.data() + begin);
  }
  const std::string block = frames_.substr(begin + kHttp2FrameHeadSize);
  frames_.resize(begin);
  for (size_t at = 0; at < block.size(); at += max_frame_) {
    const std::string_view part = std::string_view(block).substr(at, max_frame_);
    uint8_t flags = at == 0 ? end : 0;
    if (at + part.size() == block.size()) flags |= kHttp2EndHeaders;
    const auto type = at == 0 ? Http2FrameType::kHeaders : Http2FrameType::kContinuation;
    AppendFrame({static_cast<uint32_t>(part.size()), type, flags, stream_id}, part, &frames_);
  }
}

bool Http2Sender::AppendHead(Http2Stream* stream) {
  const bool is_last = stream->is_ended_ && stream->unsent_ == 0 && !stream->has_trailers();
  const size_t begin = BeginBlock();
  if (!stream->static_head_.empty()) {
    encoder_.EncodeStatic(stream->static_head_, &frames_);
  } else {
    encoder_.BeginBlock(&frames_);
    frames_ += stream->head_block_;
    stream->head_block_.clear();
  }
  EndBlock(begin, static_cast<uint32_t>(stream->id_), is_last);
  stream->is_head_sent_ = true;
  return is_last;
}

void Http2Sender::AppendInterimHead(uint32_t stream_id, std::span<const Http2Field> fields) {
  PT_DCHECK(frames_.empty());
  const size_t begin = BeginBlock();
  encoder_.BeginBlock(&frames_);
  HpackEncoder::EncodeOnce(fields, &frames_);
  EndBlock(begin, stream_id, false);
  control_ += frames_;
  frames_.clear();
}

void Http2Sender::AppendTrailers(Http2Stream* stream) {
  const size_t begin = BeginBlock();
  if (!stream->static_trailers_.empty()) {
    encoder_.EncodeStatic(stream->static_trailers_, &frames_);
  } else {
    encoder_.BeginBlock(&frames_);
    frames_ += stream->trailers_block_;
  }
  EndBlock(begin, static_cast<uint32_t>(stream->id_), true);
}

void Http2Sender::AppendDataHead(uint32_t stream_id, size_t size, bool is_last) {
  char head[kHttp2FrameHeadSize];
  const uint8_t flags = is_last ? kHttp2EndStream : 0;
  WriteFrameHead({static_cast<uint32_t>(size), Http2FrameType::kData, flags, stream_id}, head);
  frames_.append(head, sizeof(head));
}

bool Http2Sender::SendBody(Http2Stream* stream) {
  const auto id = static_cast<uint32_t>(stream->id_);
  if (stream->unsent_ > 0) {
    const int64_t room = std::min(window_, stream->send_window_);
    if (room <= 0) return false;
    const size_t count = std::min({static_cast<size_t>(room), stream->unsent_, max_frame_});
    const bool is_last = stream->is_ended_ && count == stream->unsent_ && !stream->has_trailers();
    AppendDataHead(id, count, is_last);
    WriteFrames();
    stream->WriteBody(count, output_);
    produced_ += count;
    window_ -= static_cast<int64_t>(count);
    stream->send_window_ -= static_cast<int64_t>(count);
    events_->OnBodyFramed(stream, count);
  } else if (stream->is_ended_ && !stream->has_trailers()) {
    AppendDataHead(id, 0, true);  // the end came after the rest was sent
  }
  if (!stream->is_ended_ || stream->unsent_ > 0) return false;
  if (stream->has_trailers()) AppendTrailers(stream);
  return true;
}

}  // namespace pt::wire
