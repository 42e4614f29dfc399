// The sending half of GrpcSession: settings, windows, requests.
#include <algorithm>

#include "load/grpc_session.h"

namespace pt::load {
namespace {

constexpr uint32_t kMaxFrameWeTake = 1 << 20;
constexpr size_t kSmallMessage = 16384;
constexpr size_t kQueuedAtOnce = 1 << 20;
constexpr uint32_t kLastId = 0x7ffffff0;

}  // namespace

GrpcSession::GrpcSession(Socket socket, SessionShared* shared)
    : Session(std::move(socket), shared), streams_(16) {
  std::string settings;
  AppendSetting(settings, kSettingEnablePush, 0);
  AppendSetting(settings, kSettingInitialWindowSize, static_cast<uint32_t>(kMaxWindow));
  AppendSetting(settings, kSettingMaxFrameSize, kMaxFrameWeTake);
  std::string greeting(kPreface);
  AppendFrameHead(greeting, {static_cast<uint32_t>(settings.size()), FrameType::kSettings, 0, 0});
  greeting += settings;
  AppendFrameHead(greeting, {4, FrameType::kWindowUpdate, 0, 0});
  AppendBig32(greeting, static_cast<uint32_t>(kMaxWindow - 65535));
  out_.Add(greeting);
}

void GrpcSession::UpdateTemplates() {
  const Options& options = *shared_->options;
  bool is_unix = options.address.rfind("unix:", 0) == 0;
  headers_ = BuildRequestHeaders("/inference.GRPCInferenceService/ModelInfer",
                                 is_unix ? "localhost" : options.address, has_table_);
  size_t size = shared_->request->size();
  small_request_.clear();
  if (size > kSmallMessage || size > max_frame_) return;
  AppendFrameHead(small_request_, {static_cast<uint32_t>(headers_.later.size()),
                                   FrameType::kHeaders, kFlagEndHeaders, 0});
  small_request_ += headers_.later;
  AppendFrameHead(small_request_,
                  {static_cast<uint32_t>(size), FrameType::kData, kFlagEndStream, 0});
  small_request_ += shared_->request->Copy(0, size);
}

void GrpcSession::GrowStreams() {
  std::vector<Stream> grown(streams_.size() * 2);
  for (Stream& stream : streams_) {
    if (stream.id != 0) grown[(stream.id >> 1) & (grown.size() - 1)] = std::move(stream);
  }
  streams_ = std::move(grown);
}

GrpcSession::Stream& GrpcSession::NewStream() {
  if (static_cast<size_t>(in_flight_) * 2 > streams_.size()) GrowStreams();
  size_t mask = streams_.size() - 1;
  while (streams_[(next_id_ >> 1) & mask].id != 0) next_id_ += 2;
  Stream& stream = streams_[(next_id_ >> 1) & mask];
  stream.id = next_id_;
  next_id_ += 2;
  if (next_id_ > kLastId) is_draining_ = true;  // ids are used up: a new connection is needed
  stream.http_status = 0;
  stream.grpc_status = -1;
  stream.sent = 0;
  stream.received = 0;
  stream.window = initial_window_;
  stream.check.Start(*shared_->book);
  ++in_flight_;
  return stream;
}

void GrpcSession::Start(int64_t started_ns) {
  Stream& stream = NewStream();
  stream.started_ns = started_ns;
  int64_t size = static_cast<int64_t>(shared_->request->size());
  bool fits = !small_request_.empty() && size <= window_ && size <= initial_window_;
  if (!fits || !has_sent_first_ || !sending_.empty()) {
    SendHeaders(stream.id);
    sending_.push_back(stream.id);
    return;
  }
  WriteBig32(&small_request_[5], stream.id);
  WriteBig32(&small_request_[kFrameHeadBytes + headers_.later.size() + 5], stream.id);
  out_.Add(small_request_);
  window_ -= size;
  stream.sent = static_cast<size_t>(size);
}

void GrpcSession::SendHeaders(uint32_t id) {
  const std::string& block = has_sent_first_ ? headers_.later : headers_.first;
  std::string frame;
  AppendFrameHead(frame,
                  {static_cast<uint32_t>(block.size()), FrameType::kHeaders, kFlagEndHeaders, id});
  out_.Add(frame.append(block));
  has_sent_first_ = true;
}

size_t GrpcSession::QueueData(Stream& stream) {
  size_t left = shared_->request->size() - stream.sent;
  int64_t allowed = std::min(window_, stream.window);
  size_t size = std::min(left, max_frame_);
  size = std::min(size, static_cast<size_t>(std::max<int64_t>(allowed, 0)));
  if (size == 0) return 0;
  uint8_t flags = size == left ? kFlagEndStream : 0;
  std::string head;
  AppendFrameHead(head, {static_cast<uint32_t>(size), FrameType::kData, flags, stream.id});
  out_.Add(head);
  out_.AddBorrowed(*shared_->request, stream.sent, size);
  stream.sent += size;
  stream.window -= static_cast<int64_t>(size);
  window_ -= static_cast<int64_t>(size);
  return size;
}

bool GrpcSession::QueueWaitingMessages() {
  size_t queued = 0;
  size_t blocked = 0;  // streams at the front whose own window is closed
  while (blocked < sending_.size() && queued < kQueuedAtOnce) {
    Stream* stream = FindStream(sending_[blocked]);
    size_t size = stream != nullptr ? QueueData(*stream) : 0;
    queued += size;
    bool is_done = stream == nullptr || stream->sent == shared_->request->size();
    if (is_done) {
      sending_.erase(sending_.begin() + static_cast<ptrdiff_t>(blocked));
    } else if (size == 0) {
      if (window_ <= 0) break;
      ++blocked;
    }
  }
  return queued > 0;
}

void GrpcSession::Flush() {
  while (out_.Flush(fd()) && out_.empty()) {
    if (sending_.empty() || !QueueWaitingMessages()) return;
  }
}

Status GrpcSession::OnSettings(std::string_view payload) {
  for (; payload.size() >= 6; payload.remove_prefix(6)) {
    uint16_t id = static_cast<uint16_t>(static_cast<uint8_t>(payload[0]) << 8 |
                                        static_cast<uint8_t>(payload[1]));
    int64_t value = ReadBig32(payload.data() + 2);
    if (id == kSettingMaxConcurrentStreams) max_streams_ = value;
    if (id == kSettingMaxFrameSize) max_frame_ = static_cast<size_t>(value);
    if (id == kSettingInitialWindowSize) {
      for (Stream& stream : streams_) stream.window += value - initial_window_;
      initial_window_ = value;
    }
    if (id == kSettingHeaderTableSize && value < 4096) {
      if (has_sent_first_) return Internal("HTTP/2: the header table shrank during the run");
      has_table_ = false;
    }
  }
  has_settings_ = true;
  std::string ack;
  AppendFrameHead(ack, {0, FrameType::kSettings, kFlagEndStream, 0});
  out_.Add(ack);
  return {};
}

Status GrpcSession::OnWindowUpdate(const FrameHead& head, std::string_view payload) {
  if (payload.size() != 4) return Internal("HTTP/2: a WINDOW_UPDATE frame of a wrong size");
  int64_t size = ReadBig32(payload.data()) & 0x7fffffff;
  if (head.stream == 0) {
    window_ += size;
  } else if (Stream* stream = FindStream(head.stream); stream != nullptr) {
    stream->window += size;
  }
  return {};
}

}  // namespace pt::load
