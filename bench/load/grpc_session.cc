#include "load/grpc_session.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "load/clock.h"

namespace pt::load {
namespace {

constexpr int64_t kAcknowledgeBytes = 1 << 29;  // a quarter of the window we announce
constexpr int kGrpcUnavailable = 14;
constexpr int kGrpcResourceExhausted = 8;

}  // namespace

Status GrpcSession::Greet() {
  Flush();
  int64_t end = NowNs() + NsOf(shared_->options->timeout_s);
  while (!has_settings_ && !is_broken_) {
    pollfd waiting{fd(), POLLIN, 0};
    int64_t left_ms = (end - NowNs()) / 1'000'000;
    if (left_ms <= 0) return Unavailable("the server sent no HTTP/2 settings");
    if (poll(&waiting, 1, static_cast<int>(left_ms)) > 0) OnReadable();
  }
  if (is_broken_) return Unavailable("expected HTTP/2 settings: " + break_reason_);
  UpdateTemplates();
  Flush();
  return {};
}

GrpcSession::Stream* GrpcSession::FindStream(uint32_t id) {
  Stream& stream = streams_[(id >> 1) & (streams_.size() - 1)];
  return id != 0 && stream.id == id ? &stream : nullptr;
}

void GrpcSession::End(Stream& stream, Outcome outcome, const std::string* reason) {
  int64_t started_ns = stream.started_ns;
  stream.id = 0;
  --in_flight_;
  if (is_draining_ && in_flight_ == 0) is_broken_ = true;
  shared_->owner->OnEnded(*this, {outcome, started_ns, now_, reason});
}

void GrpcSession::EndStream(Stream& stream) {
  if (stream.sent < shared_->request->size()) {
    std::string reset;  // the server has judged before it had the whole message
    AppendFrameHead(reset, {4, FrameType::kResetStream, 0, stream.id});
    AppendBig32(reset, 0);
    out_.Add(reset);
  }
  if (stream.grpc_status == 0) {
    Status status = stream.check.Finish(*shared_->book, 0);
    size_t announced = sizeof stream.prefix + ReadBig32(stream.prefix + 1);
    if (status.ok() && (announced != stream.received || stream.prefix[0] != 0)) {
      status = Internal("expected one whole uncompressed message, its prefix tells otherwise");
    }
    if (status.ok()) return End(stream, Outcome::kRight, nullptr);
    return End(stream, Outcome::kWrong, &status.message());
  }
  int code = stream.grpc_status;
  std::string reason = "gRPC status " + std::to_string(code) + ": " + stream.grpc_message;
  if (code < 0) {
    reason = "no grpc-status in the answer, HTTP status " + std::to_string(stream.http_status);
  }
  bool is_refusal = code == kGrpcUnavailable || code == kGrpcResourceExhausted;
  End(stream, is_refusal ? Outcome::kRefused : Outcome::kFailed, &reason);
}

void GrpcSession::Break(const std::string& reason) {
  is_broken_ = true;
  break_reason_ = reason;
  for (Stream& stream : streams_) {
    if (stream.id != 0) End(stream, Outcome::kFailed, &reason);
  }
}

void GrpcSession::AcknowledgeData(size_t size) {
  unacknowledged_ += static_cast<int64_t>(size);
  if (unacknowledged_ < kAcknowledgeBytes) return;
  std::string update;
  AppendFrameHead(update, {4, FrameType::kWindowUpdate, 0, 0});
  AppendBig32(update, static_cast<uint32_t>(unacknowledged_));
  out_.Add(update);
  unacknowledged_ = 0;
}

void GrpcSession::OnDataBytes(std::string_view bytes) {
  data_left_ -= bytes.size();
  Stream* stream = FindStream(data_.stream);
  if (stream == nullptr) return;
  // The end of the frame may be padding.
  bytes = bytes.substr(
      0, bytes.size() - std::min(bytes.size(), padding_ - std::min(padding_, data_left_)));
  while (stream->received < sizeof stream->prefix && !bytes.empty()) {
    stream->prefix[stream->received++] = bytes.front();
    bytes.remove_prefix(1);
  }
  if (!bytes.empty()) {
    stream->received += bytes.size();
    stream->check.Feed(*shared_->book, bytes);
  }
  if (data_left_ == 0 && (data_.flags & kFlagEndStream) != 0) EndStream(*stream);
}

bool GrpcSession::BeginData(const FrameHead& head, std::string_view rest) {
  bool is_padded = (head.flags & kFlagPadded) != 0;
  if (is_padded && rest.empty()) return false;
  data_ = head;
  data_left_ = head.size;
  padding_ = 0;
  AcknowledgeData(head.size);
  if (is_padded && head.size > 0) {
    padding_ = static_cast<uint8_t>(rest.front());
    --data_left_;
  }
  if (padding_ > data_left_) Break("HTTP/2: a DATA frame with more padding than bytes");
  if (data_left_ == 0) OnDataBytes({});
  return true;
}

size_t GrpcSession::OnBytes(std::string_view bytes) {
  size_t taken = 0;
  while (!is_broken_ && taken < bytes.size()) {
    std::string_view rest = bytes.substr(taken);
    if (data_left_ > 0) {
      std::string_view part = rest.substr(0, data_left_);
      OnDataBytes(part);
      taken += part.size();
      continue;
    }
    if (rest.size() < kFrameHeadBytes) break;
    FrameHead head = ReadFrameHead(rest.data());
    rest.remove_prefix(kFrameHeadBytes);
    if (head.type == FrameType::kData) {
      if (!BeginData(head, rest)) break;
      bool has_padding_byte = (head.flags & kFlagPadded) != 0 && head.size > 0;
      taken += kFrameHeadBytes + (has_padding_byte ? 1 : 0);
      continue;
    }
    if (head.size + 2 * kFrameHeadBytes > shared_->receive_buffer.size()) {
      Break("HTTP/2: a control frame of " + std::to_string(head.size) + " bytes");
      break;
    }
    if (rest.size() < head.size) break;
    Status status = OnFrame(head, rest.substr(0, head.size));
    if (!status.ok()) Break(status.message());
    taken += kFrameHeadBytes + head.size;
  }
  return taken;
}

void GrpcSession::OnReadable() {
  std::string& buffer = shared_->receive_buffer;
  while (!is_broken_) {
    size_t kept = carry_.size();
    std::memcpy(buffer.data(), carry_.data(), kept);
    ssize_t size = recv(fd(), buffer.data() + kept, buffer.size() - kept, 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return socket_.AwaitBytes(data_left_);
    now_ = NowNs();
    if (size < 0) return Break(std::string("receive: ") + std::strerror(errno));
    if (size == 0) return Break("the server closed the connection");
    std::string_view bytes(buffer.data(), kept + static_cast<size_t>(size));
    carry_.assign(bytes.substr(OnBytes(bytes)));
    if (bytes.size() < buffer.size()) return socket_.AwaitBytes(data_left_);
  }
}

Status GrpcSession::OnFrame(const FrameHead& head, std::string_view payload) {
  bool is_ack = (head.flags & kFlagEndStream) != 0;
  switch (head.type) {
    case FrameType::kHeaders:
    case FrameType::kContinuation:
      return OnHeaders(head, payload);
    case FrameType::kSettings:
      return is_ack ? Status() : OnSettings(payload);
    case FrameType::kWindowUpdate:
      return OnWindowUpdate(head, payload);
    case FrameType::kGoAway:
      return OnGoAway(payload);
    case FrameType::kPing:
      if (!is_ack) {
        std::string answer;
        AppendFrameHead(answer, {head.size, FrameType::kPing, kFlagEndStream, 0});
        out_.Add(answer.append(payload));
      }
      return {};
    case FrameType::kResetStream:
      if (Stream* stream = FindStream(head.stream); stream != nullptr && payload.size() == 4) {
        std::string reason =
            "the server reset the stream, code " + std::to_string(ReadBig32(payload.data()));
        End(*stream, Outcome::kFailed, &reason);
      }
      return {};
    default:
      return {};  // unknown types are to be ignored (RFC 9113 4.1)
  }
}

Status GrpcSession::OnGoAway(std::string_view payload) {
  if (payload.size() < 8) return Internal("HTTP/2: a GOAWAY frame that is too short");
  uint32_t last = ReadBig32(payload.data()) & 0x7fffffff;
  is_draining_ = true;
  std::string reason =
      "the server goes away, code " + std::to_string(ReadBig32(payload.data() + 4));
  for (Stream& stream : streams_) {
    if (stream.id > last) End(stream, Outcome::kFailed, &reason);
  }
  if (in_flight_ == 0) is_broken_ = true;
  return {};
}

Status GrpcSession::OnHeaders(const FrameHead& head, std::string_view payload) {
  if (head.type == FrameType::kHeaders) {
    size_t padding = 0;
    if ((head.flags & kFlagPadded) != 0 && !payload.empty()) {
      padding = static_cast<uint8_t>(payload.front());
      payload.remove_prefix(1);
    }
    size_t priority = (head.flags & kFlagPriority) != 0 ? 5 : 0;
    if (padding + priority > payload.size()) return Internal("HTTP/2: a broken HEADERS frame");
    payload = payload.substr(priority, payload.size() - priority - padding);
    bool is_whole = (head.flags & kFlagEndHeaders) != 0;
    bool is_end = (head.flags & kFlagEndStream) != 0;
    if (is_whole) return OnHeaderBlock(head.stream, is_end, payload);
    block_head_ = head;
    block_.clear();
  }
  block_.append(payload);
  if ((head.flags & kFlagEndHeaders) == 0) return {};
  bool is_end = (block_head_.flags & kFlagEndStream) != 0;
  return OnHeaderBlock(block_head_.stream, is_end, block_);
}

Status GrpcSession::OnHeaderBlock(uint32_t id, bool is_end, std::string_view block) {
  PT_ASSIGN_OR_RETURN(const AnswerHeaders* headers, reader_.Read(block));
  Stream* stream = FindStream(id);
  if (stream == nullptr) return {};
  if (headers->http_status != 0) stream->http_status = headers->http_status;
  if (headers->grpc_status >= 0) {
    stream->grpc_status = headers->grpc_status;
    if (headers->grpc_status != 0) stream->grpc_message = headers->grpc_message;
  }
  if (is_end) EndStream(*stream);
  return {};
}

}  // namespace pt::load
