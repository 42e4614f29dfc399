#include "wire/http2.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

namespace pt::wire {
namespace {

// A useful frame allows for so many idle ones (a gRPC client sends up to three a message:
// WINDOW_UPDATE twice, PING), and so does a piece of an answer.
constexpr uint64_t kEarnedPerFrame = 4;
// So many bytes of an answer allow for one more: some clients give credit for every 4 KiB they
// read, for the stream and for the connection.
constexpr size_t kBytesPerIdleFrame = 1024;
// A header block of so many times the size of the largest head, packed, is an attack.
constexpr size_t kBlockPatience = 16;
// Control frames that wait for a client that does not read: it asked for every one of them.
constexpr size_t kMaxControl = 256 << 10;

}  // namespace

Result<std::unique_ptr<Http2Session>> Http2Session::Create(const Http2Limits& limits,
                                                           Http2Events* events,
                                                           Http2Output* output) {
  std::unique_ptr<Http2Session> session(new Http2Session(limits, events, output));
  if (session->decoder_ == nullptr) return Unavailable("no memory for HTTP/2");
  session->Greet();
  return session;
}

Http2Session::Http2Session(const Http2Limits& limits, Http2Events* events, Http2Output* output)
    : limits_(limits),
      events_(events),
      decoder_(HpackDecoder::Create(limits.max_header_bytes)),
      reader_(limits.max_frame, this),
      sender_(output, this),
      resets_left_(static_cast<double>(limits.reset_burst)) {}

Http2Session::~Http2Session() {
  while (streams_.first() != nullptr) Close(streams_.first(), Http2Error::kCancel);
}

// Our half of the preface (3.4).
void Http2Session::Greet() {
  std::string settings;
  AppendSetting(Http2Setting::kMaxConcurrentStreams, limits_.max_streams, &settings);
  AppendSetting(Http2Setting::kInitialWindowSize, limits_.stream_window, &settings);
  AppendSetting(Http2Setting::kMaxFrameSize, limits_.max_frame, &settings);
  AppendSetting(Http2Setting::kMaxHeaderListSize, static_cast<uint32_t>(limits_.max_header_bytes),
                &settings);
  AppendSetting(Http2Setting::kNoPriorities, 1, &settings);
  AppendFrame({static_cast<uint32_t>(settings.size()), Http2FrameType::kSettings, 0, 0}, settings,
              &sender_.control());
  if (limits_.connection_window <= kHttp2DefaultWindow) return;
  AppendWindowUpdate(0, limits_.connection_window - kHttp2DefaultWindow, &sender_.control());
  window_ = limits_.connection_window;
}

Status Http2Session::Receive(std::string_view bytes, TimePoint now) {
  if (is_failed_) return InvalidArgument("expected nothing after a broken HTTP/2 frame, got more");
  now_ = now;
  return EndReceive(reader_.Read(bytes));
}

size_t Http2Session::data_left() const {
  const size_t left = reader_.body_left();
  return static_cast<size_t>(std::min<uint64_t>(left, reading_->body_left_.value_or(left)));
}

Status Http2Session::ReceivedData(size_t count, TimePoint now) {
  PT_DCHECK(!is_failed_ && count <= data_left());
  now_ = now;
  if (reading_->body_left_) *reading_->body_left_ -= count;
  return EndReceive(reader_.SkipBody(count));
}

Status Http2Session::EndReceive(Http2Fault fault) {
  if (fault.ok() && sender_.control().size() > kMaxControl) {
    fault = {Http2Error::kEnhanceYourCalm, "control frames whose answers are not read"};
  }
  if (!fault.ok()) {
    is_failed_ = true;
    AppendGoAway(last_taken_id_, fault.error, &sender_.control());
    return InvalidArgument(std::string("expected HTTP/2 within the limits, got ") + fault.reason);
  }
  // The connection's credit, once for all that came.
  if (consumed_ * 2 >= limits_.connection_window) {
    window_ += static_cast<int64_t>(consumed_);
    AppendWindowUpdate(0, static_cast<uint32_t>(std::exchange(consumed_, 0)), &sender_.control());
  }
  return {};
}

bool Http2Session::Produce(size_t budget) {
  if (is_failed_) {
    sender_.ProduceControl();
    return false;
  }
  sender_.Produce(budget);
  return sender_.is_used_up() && wants_write();
}

bool Http2Session::wants_write() const {
  return is_failed_ ? sender_.has_control() : sender_.wants_write();
}

bool Http2Session::is_finished() const {
  const bool is_over = streams_.size() == 0 && (said_goodbye_ || has_goodbye_);
  return (is_failed_ || is_over) && !wants_write();
}

// --- what comes -------------------------------------------------------------------------------

Http2Fault Http2Session::OnFrame(const Http2FrameHead& frame) {
  const bool is_useful =
      frame.type == Http2FrameType::kHeaders ||
      (frame.type == Http2FrameType::kData && (frame.size > 0 || frame.has(kHttp2EndStream)));
  if (!is_useful) return CountIdleFrame();
  Earn(kEarnedPerFrame);
  return {};
}

Http2Fault Http2Session::CountIdleFrame() {
  const auto passed = std::chrono::floor<std::chrono::seconds>(now_ - idle_at_).count();
  if (passed > 0) {
    Earn(static_cast<uint64_t>(passed * limits_.idle_frames_per_second));
    idle_at_ = now_;
  }
  if (++idle_frames_ <= limits_.idle_frames) return {};
  return {Http2Error::kEnhanceYourCalm, "too many frames that carry neither requests nor data"};
}

void Http2Session::Earn(uint64_t idle_frames) {
  idle_frames_ -= std::min(idle_frames_, static_cast<int64_t>(idle_frames));
}

Http2Fault Http2Session::OnBlock(const Http2FrameHead& frame, const BlockPiece& piece) {
  if (piece.is_first) {
    if (!IsClientStream(frame.stream_id)) {
      return Http2Fault::Protocol("HEADERS for a stream of the server");
    }
    block_size_ = 0;
  }
  block_size_ += piece.bytes.size();
  if (block_size_ > kBlockPatience * limits_.max_header_bytes) {
    return {Http2Error::kEnhanceYourCalm, "a head far over the limit"};
  }
  const Http2Fault fault = decoder_->Read(piece.bytes, piece.is_first, piece.is_last);
  return fault.ok() && piece.is_last ? OnHead(frame) : fault;
}

Http2Fault Http2Session::OnHead(const Http2FrameHead& frame) {
  if (frame.stream_id > last_id_) return OpenRequest(frame);
  Http2Stream* const stream = streams_.Find(frame.stream_id);
  // Of a stream that is closed: it crossed our reset on the wire (5.1).
  return stream == nullptr || stream->reset_ ? Http2Fault() : OnTrailers(frame, stream);
}

Http2Fault Http2Session::OpenRequest(const Http2FrameHead& frame) {
  last_id_ = frame.stream_id;
  if (said_goodbye_) return {};  // the client knows that it is not taken (6.8)
  last_taken_id_ = last_id_;
  const Http2HeadBuilder& builder = decoder_->head();
  Http2Head head = builder.head();
  head.has_body = !frame.has(kHttp2EndStream);
  const bool lies = !head.has_body && builder.content_length().value_or(0) != 0;
  if (decoder_->is_malformed() || lies) return RefuseStream(last_id_, Http2Error::kProtocol);
  if (streams_.size() >= limits_.max_streams) {
    return RefuseStream(last_id_, Http2Error::kRefusedStream);
  }
  opening_ = last_id_;
  opening_has_body_ = head.has_body;
  events_->OnRequest(head);
  if (std::exchange(opening_, 0) == 0) return {};
  AppendRstStream(last_id_, Http2Error::kRefusedStream, &sender_.control());
  return {};
}

void Http2Session::Accept(Http2Stream* stream) {
  PT_DCHECK(opening_ != 0);
  stream->id_ = static_cast<int32_t>(std::exchange(opening_, 0));
  stream->is_request_complete_ = !opening_has_body_;
  stream->send_window_ = sender_.initial_window();
  stream->receive_window_ = limits_.stream_window;
  stream->body_left_ = decoder_->head().content_length();
  streams_.Add(stream);
}

Http2Fault Http2Session::OnTrailers(const Http2FrameHead& frame, Http2Stream* stream) {
  if (stream->is_request_complete_) {
    return {Http2Error::kStreamClosed, "HEADERS after the end of a request"};
  }
  const bool is_fine = decoder_->head().are_trailers() && frame.has(kHttp2EndStream) &&
                       stream->body_left_.value_or(0) == 0;
  if (!is_fine) return ResetForFault(stream, Http2Error::kProtocol);
  Ended(stream);
  return {};
}

Http2Fault Http2Session::OnDataFrame(const Http2FrameHead& frame) {
  if (!WasOpened(frame.stream_id)) {
    return Http2Fault::Protocol("DATA for a stream that was never opened");
  }
  window_ -= frame.size;
  if (window_ < 0) return {Http2Error::kFlowControl, "more DATA than the connection's window"};
  reading_ = streams_.Find(frame.stream_id);
  if (reading_ == nullptr || reading_->reset_) {
    reading_ = nullptr;  // it crossed our reset on the wire (5.1)
    return {};
  }
  if (reading_->is_request_complete_) {
    return {Http2Error::kStreamClosed, "DATA after the end of a request"};
  }
  reading_->receive_window_ -= frame.size;
  if (reading_->receive_window_ >= 0) return {};
  return ResetForFault(std::exchange(reading_, nullptr), Http2Error::kFlowControl);
}

Http2Fault Http2Session::OnDataPiece(std::string_view bytes) {
  if (reading_ == nullptr || reading_->reset_) return {};
  if (reading_->body_left_) {
    if (bytes.size() > *reading_->body_left_) {
      return ResetForFault(std::exchange(reading_, nullptr), Http2Error::kProtocol);
    }
    *reading_->body_left_ -= bytes.size();
  }
  events_->OnData(reading_, bytes);
  return {};
}

Http2Fault Http2Session::OnDataEnd(const Http2FrameHead& frame) {
  consumed_ += frame.size;
  Http2Stream* const stream = std::exchange(reading_, nullptr);
  if (stream == nullptr || stream->reset_) return {};
  if (!frame.has(kHttp2EndStream)) {
    Consumed(stream, frame.size);
  } else if (stream->body_left_.value_or(0) != 0) {
    return ResetForFault(stream, Http2Error::kProtocol);
  } else {
    Ended(stream);
  }
  return {};
}

void Http2Session::Ended(Http2Stream* stream) {
  stream->is_request_complete_ = true;
  events_->OnEnd(stream);
}

// Gives the client credit for what it sent, unless it leaves too much of its answer unread.
void Http2Session::Consumed(Http2Stream* stream, size_t size) {
  if (stream->unsent_ <= limits_.max_unsent) {
    GiveBack(stream, size);
  } else {
    stream->withheld_ += size;
  }
}

// In few, large updates: most requests end before half a window is used.
void Http2Session::GiveBack(Http2Stream* stream, size_t size) {
  stream->taken_ += size;
  if (stream->taken_ * 2 < limits_.stream_window || stream->is_request_complete_) return;
  stream->receive_window_ += static_cast<int64_t>(stream->taken_);
  AppendWindowUpdate(static_cast<uint32_t>(stream->id_),
                     static_cast<uint32_t>(std::exchange(stream->taken_, 0)), &sender_.control());
}

Http2Fault Http2Session::RefuseStream(uint32_t id, Http2Error error) {
  AppendRstStream(id, error, &sender_.control());
  return CountReset();
}

Http2Fault Http2Session::ResetForFault(Http2Stream* stream, Http2Error error) {
  Reset(stream, error);
  return CountReset();
}

// Opening streams and having them reset costs the client nothing, and us a call each.
Http2Fault Http2Session::CountReset() {
  const std::chrono::duration<double> passed = now_ - std::exchange(resets_at_, now_);
  resets_left_ =
      std::min(resets_left_ + passed.count() * static_cast<double>(limits_.resets_per_second),
               static_cast<double>(limits_.reset_burst));
  resets_left_ -= 1;
  if (resets_left_ >= 0) return {};
  return {Http2Error::kEnhanceYourCalm, "too many streams that are opened and reset"};
}

void Http2Session::Close(Http2Stream* stream, Http2Error error) {
  Http2StreamQueue::Remove(stream);
  streams_.Remove(stream);
  if (reading_ == stream) reading_ = nullptr;  // the rest of its frame is ignored
  events_->OnClose(stream, error);
}

// --- what leaves ------------------------------------------------------------------------------

void Http2Session::OnBodyFramed(Http2Stream* stream, size_t count) {
  framed_ += count;
  Earn(framed_ / kBytesPerIdleFrame);
  framed_ %= kBytesPerIdleFrame;
  if (stream->withheld_ == 0 || stream->unsent_ > limits_.max_unsent / 2) return;
  GiveBack(stream, std::exchange(stream->withheld_, 0));
}

void Http2Session::OnAnswerFramed(Http2Stream* stream) {
  // An answer that ended before its request did: the client need not send the rest (8.1).
  if (!stream->is_request_complete_) {
    AppendRstStream(static_cast<uint32_t>(stream->id_), Http2Error::kNone, &sender_.control());
  }
  Close(stream, Http2Error::kNone);
}

void Http2Session::OnResetDue(Http2Stream* stream) {
  const Http2Error error = *stream->reset_;
  AppendRstStream(static_cast<uint32_t>(stream->id_), error, &sender_.control());
  Close(stream, error);
}

void Http2Session::SendHead(Http2Stream* stream, std::span<const Http2Field> fields,
                            FieldBytes bytes, BodyFollows follows) {
  stream->is_head_queued_ = true;
  if (bytes == FieldBytes::kStatic) {
    stream->static_head_ = fields;
  } else {
    HpackEncoder::EncodeOnce(fields, &stream->head_block_);
  }
  if (follows == BodyFollows::kNo) stream->is_ended_ = true;
  sender_.Ready(stream);
}

void Http2Session::SendInterimHead(Http2Stream* stream, std::span<const Http2Field> fields) {
  sender_.AppendInterimHead(static_cast<uint32_t>(stream->id_), fields);
}

void Http2Session::Queue(Http2Stream* stream, std::string_view lead, Slice bytes) {
  PT_DCHECK(!stream->is_ended_);
  Earn(kEarnedPerFrame);
  stream->AppendBody(lead, std::move(bytes));
  sender_.Ready(stream);
}

void Http2Session::End(Http2Stream* stream) {
  stream->is_ended_ = true;
  sender_.Ready(stream);
}

void Http2Session::EndWithTrailers(Http2Stream* stream, std::span<const Http2Field> fields,
                                   FieldBytes bytes) {
  if (bytes == FieldBytes::kStatic) {
    stream->static_trailers_ = fields;
  } else {
    HpackEncoder::EncodeOnce(fields, &stream->trailers_block_);
  }
  End(stream);
}

void Http2Session::Reset(Http2Stream* stream, Http2Error error) {
  if (!stream->reset_) stream->reset_ = error;
  sender_.Ready(stream);
}

void Http2Session::AnnounceGoAway() {
  AppendGoAway(kHttp2MaxStreamId, Http2Error::kNone, &sender_.control());
}

void Http2Session::GoAway(Http2Error error) {
  said_goodbye_ = true;
  AppendGoAway(last_taken_id_, error, &sender_.control());
}

}  // namespace pt::wire
