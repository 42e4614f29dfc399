#include "server/http2_grpc_call.h"

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <utility>

namespace pt::server {
namespace {

// Messages from this size on may go to the handler in parts.
constexpr uint32_t kPartsFrom = 64 << 10;
// Answers below this size are not worth compressing.
constexpr size_t kCompressFrom = 256;
// Of grpc-message; clients limit all trailers together to 8 KB by default.
constexpr size_t kMaxMessageText = 4096;
constexpr uint64_t kMaxAnswer = (uint64_t{1} << 31) - 1;

using wire::Http2Field;
constexpr Http2Field kStatus200{":status", "200"};
constexpr Http2Field kGrpcType{"content-type", "application/grpc"};
constexpr Http2Field kAcceptEncoding{"grpc-accept-encoding", "identity,deflate,gzip"};
constexpr std::array<Http2Field, 2> kHead{kStatus200, kGrpcType};
constexpr std::array<Http2Field, 3> kHeadGzip{kStatus200, kGrpcType,
                                              Http2Field{"grpc-encoding", "gzip"}};
constexpr std::array<Http2Field, 3> kHeadDeflate{kStatus200, kGrpcType,
                                                 Http2Field{"grpc-encoding", "deflate"}};
constexpr std::array<Http2Field, 1> kTrailersOk{Http2Field{"grpc-status", "0"}};

}  // namespace

void GrpcCall::Start(const api::HttpRequestHead& head, bool is_head_too_large) {
  Logger* const logger = services().logger;
  if (logger != nullptr && logger->Admits(1)) label_ = head.target;
  if (is_head_too_large) {
    return Fail(api::GrpcCode::kResourceExhausted,
                "expected a request head of at most " +
                    std::to_string(services().limits.max_header_bytes) + " bytes, got more");
  }
  api::GrpcCallInfo info;
  if (!ReadHead(head, &info)) return;
  if (info.deadline != kNoDeadline) {
    deadline_ = protocol_->AddDeadline(info.deadline, this);
    has_deadline_ = true;
  }
  handler_ = services().grpc->Start(info, calls(), RefPtr<api::GrpcSink>(this));
  if (!handler_ && !is_finished_) {
    Fail(api::GrpcCode::kUnimplemented,
         "expected a method of this server, got '" + std::string(head.target) + "'");
  }
}

// False: the call was refused.
bool GrpcCall::ReadHead(const api::HttpRequestHead& head, api::GrpcCallInfo* info) {
  info->path = head.target;
  info->head = &head;
  for (const api::HeaderView& header : head.headers) {
    if (header.name == "grpc-timeout") {
      const auto timeout = wire::ParseGrpcTimeout(header.value);
      if (!timeout) {
        Fail(api::GrpcCode::kInvalidArgument,
             "expected grpc-timeout as up to 8 digits and a unit of H, M, S, m, u, n, got '" +
                 std::string(header.value) + "'");
        return false;
      }
      info->deadline = calls().now + *timeout;
    } else if (header.name == "grpc-encoding") {
      const auto coding = wire::ParseGrpcEncoding(header.value);
      if (!coding) {
        Fail(api::GrpcCode::kUnimplemented,
             "expected grpc-encoding identity, deflate or gzip, got '" + std::string(header.value) +
                 "'");
        return false;
      }
      request_coding_ = *coding;
    } else if (header.name == "grpc-accept-encoding" && services().compresses_grpc_answers) {
      answer_coding_ = wire::ChooseGrpcEncoding(header.value);
    }
  }
  return true;
}

void GrpcCall::OnData(std::string_view bytes) {
  Touch();
  TakeAll(bytes);
}

Protocol::Target GrpcCall::DirectTarget() {
  if (is_finished_ || is_half_closed_ || intake_ != Intake::kPassOn) return {};
  const size_t left = deframer_.body_left();
  if (left == 0) return {};
  const std::span<char> place = handler_->MessagePlace();
  return {place.data(), std::min(left, place.size())};
}

void GrpcCall::OnDirectBytes(size_t count) {
  Touch();
  handler_->OnPlaced(count);
  deframer_.SkipBody(static_cast<uint32_t>(count));
  if (deframer_.body_left() == 0) TakeAll({});
}

void GrpcCall::TakeAll(std::string_view bytes) {
  while (!is_finished_ && !is_half_closed_) {
    const wire::GrpcPiece piece = deframer_.Next(&bytes);
    if (piece.kind == wire::GrpcPiece::Kind::kNone || !Take(piece)) break;
  }
}

// False: the call has ended.
bool GrpcCall::Take(const wire::GrpcPiece& piece) {
  switch (piece.kind) {
    case wire::GrpcPiece::Kind::kWhole:
      return TakeWhole(piece);
    case wire::GrpcPiece::Kind::kBegin:
      return BeginParts(piece);
    case wire::GrpcPiece::Kind::kPart:
      if (intake_ == Intake::kPassOn) {
        handler_->OnMessagePart(piece.bytes, calls());
      } else {
        // There is room: it was reserved when the message began.
        [[maybe_unused]] const Status appended = parts_->Append(piece.bytes);
      }
      return true;
    case wire::GrpcPiece::Kind::kEnd:
      return EndParts(piece.is_compressed);
    default:
      Fail(api::GrpcCode::kInternal,
           "expected 0 or 1 as the first byte of a message, got something else");
      return false;
  }
}

bool GrpcCall::TakeWhole(const wire::GrpcPiece& piece) {
  if (piece.size > services().limits.max_request_bytes) return BeginParts(piece);  // says so
  if (piece.is_compressed) return GiveCompressed(piece.bytes);
  Give(protocol_->SliceAt(piece.bytes));
  return true;
}

bool GrpcCall::BeginParts(const wire::GrpcPiece& piece) {
  const uint64_t max_size = services().limits.max_request_bytes;
  if (piece.size > max_size) {
    Fail(api::GrpcCode::kResourceExhausted, "expected a message of at most " +
                                                std::to_string(max_size) + " bytes, got " +
                                                std::to_string(piece.size));
    return false;
  }
  KeepClaim(0);  // the message before this one is the api's matter
  intake_ = Intake::kCollect;
  if (!piece.is_compressed && piece.size >= kPartsFrom) {
    if (!PassOn(piece.size)) return false;
    if (intake_ == Intake::kPassOn) return true;
  }
  parts_.emplace(services().pool, services().budget, 0);
  const Status reserved = parts_->Reserve(piece.size);
  if (!reserved.ok()) Fail(api::GrpcCode::kResourceExhausted, reserved.message());
  return reserved.ok();
}

// Asks the handler to take the parts of a large message. False: the call has ended.
bool GrpcCall::PassOn(uint32_t size) {
  if (!services().budget->TryClaim(size)) {
    Fail(api::GrpcCode::kResourceExhausted,
         "expected the messages under way to fit into max-inflight-bytes, got " +
             std::to_string(size) + " bytes more than there is room for");
    return false;
  }
  if (handler_->BeginMessage(size, calls())) {
    intake_ = Intake::kPassOn;
    KeepClaim(size);
  } else {
    services().budget->Return(size);
  }
  return !is_finished_;
}

bool GrpcCall::EndParts(bool is_compressed) {
  if (intake_ == Intake::kPassOn) {
    NoteMessage();
    handler_->EndMessage(calls());
    return true;
  }
  uint64_t claimed = 0;
  const Slice message = parts_->Take(&claimed);
  parts_.reset();
  KeepClaim(claimed);
  if (is_compressed) return GiveCompressed(message.view());
  Give(message);
  return true;
}

bool GrpcCall::GiveCompressed(std::string_view bytes) {
  if (request_coding_ == wire::ContentCoding::kIdentity) {
    Fail(api::GrpcCode::kInternal,
         "expected a plain message without grpc-encoding, got one marked as compressed");
    return false;
  }
  wire::DecompressOptions options;
  options.max_size = services().limits.max_request_bytes;
  options.pool = services().pool;
  Result<Slice> message = wire::Decompress(bytes, options);
  if (message.ok()) {
    Give(std::move(message).value());
    return true;
  }
  const bool is_bomb =
      message.status().code() == Code::kTooLarge || message.status().code() == Code::kUnavailable;
  Fail(is_bomb ? api::GrpcCode::kResourceExhausted : api::GrpcCode::kInternal,
       message.status().message());
  return false;
}

void GrpcCall::NoteMessage() {
  if (has_messages_ && !std::exchange(is_stream_, true)) connection_->context().BeginStream();
  has_messages_ = true;
}

void GrpcCall::Give(Slice message) {
  NoteMessage();
  handler_->OnMessage(std::move(message), calls());
}

void GrpcCall::OnEnd() {
  if (is_finished_ || is_half_closed_) return;
  if (!deframer_.is_at_boundary()) {
    return Fail(api::GrpcCode::kInternal,
                "expected the rest of a message, got the end of the stream");
  }
  HalfClose();
}

void GrpcCall::HalfClose() {
  is_half_closed_ = true;
  EnterGate();
  handler_->OnHalfClose(calls());
}

void GrpcCall::OnTick(TimePoint now, Duration idle_limit) {
  if (ResetIfStalled(now, idle_limit)) return;
  // Between messages a stream may rest as long as it likes.
  const bool is_waiting = !is_finished_ && !is_half_closed_ && !deframer_.is_at_boundary();
  if (is_waiting && now - touched_ > idle_limit) {
    Fail(api::GrpcCode::kCancelled, "expected more of the message within body-idle-timeout-secs");
  }
}

void GrpcCall::BeginDrain(DrainStep step) {
  if (is_finished_ || is_half_closed_ || !deframer_.is_at_boundary()) return;
  if (has_messages_ || step == DrainStep::kLast) HalfClose();
}

void GrpcCall::FailCall(const std::string& reason) { Fail(api::GrpcCode::kUnavailable, reason); }

void GrpcCall::OnDeadline() {
  StopDeadline();
  Fail(api::GrpcCode::kDeadlineExceeded, "Deadline Exceeded");
}

void GrpcCall::StopDeadline() {
  if (std::exchange(has_deadline_, false)) protocol_->RemoveDeadline(deadline_);
}

void GrpcCall::OnClosed() {
  StopDeadline();
  parts_.reset();
  if (std::exchange(is_stream_, false)) connection_->context().EndStream();
  Disconnect();
  const RefPtr<api::GrpcHandler> handler = std::move(handler_);
  if (!std::exchange(is_finished_, true) && handler) handler->OnCancel();
  DropRef();
}

void GrpcCall::Fail(api::GrpcCode code, std::string message) {
  if (is_finished_) return;
  if (handler_) handler_->OnCancel();
  QueueStatus({code, std::move(message)});
}

GrpcCall::Message GrpcCall::Packed(SliceList&& message) const {
  if (answer_coding_ == wire::ContentCoding::kIdentity || TotalSize(message) < kCompressFrom) {
    return {std::move(message), false};
  }
  Result<Slice> packed = wire::Compress(message, answer_coding_, services().pool);
  if (!packed.ok()) return {std::move(message), false};
  SliceList slices;
  slices.push_back(std::move(packed).value());
  return {std::move(slices), true};
}

// Applies `change` to an answer: queued at once when this thread drives the loop, else posted.
template <typename Change>
void GrpcCall::Deliver(const Change& change) {
  if (connection_->IsDrivenHere()) {
    // The role may have come to this thread after it posted: keep the order.
    if (outbox_.is_waiting()) Apply(outbox_.Take());
    Answer answer;
    change(&answer);
    return Apply(std::move(answer));
  }
  if (!outbox_.Add(change)) return;
  AddRef();  // the post's
  connection_->Post(this);
}

void GrpcCall::SendMessage(SliceList&& message) {
  Message packed = Packed(std::move(message));
  Deliver([&packed](Answer* answer) {
    if (answer->message) {
      answer->more.push_back(std::move(packed));
    } else {
      answer->message = std::move(packed);
    }
  });
}

void GrpcCall::Finish(api::GrpcStatus status) {
  Deliver([&status](Answer* answer) { answer->status = std::move(status); });
}

void GrpcCall::SendUnary(SliceList&& message) {
  Message packed = Packed(std::move(message));
  Deliver([&packed](Answer* answer) {
    answer->message = std::move(packed);
    answer->status.emplace();
  });
}

void GrpcCall::RunOnLoop() {
  if (outbox_.is_waiting()) Apply(outbox_.Take());
  DropRef();
}

void GrpcCall::Apply(Answer&& answer) {
  if (is_finished_) return;
  if (answer.message) QueueMessage(std::move(*answer.message));
  for (Message& message : answer.more) QueueMessage(std::move(message));
  if (answer.status) QueueStatus(std::move(*answer.status));
}

void GrpcCall::QueueMessage(Message&& message) {
  if (is_finished_) return;
  const uint64_t size = TotalSize(message.bytes);
  if (size > kMaxAnswer) {
    return Fail(api::GrpcCode::kInvalidArgument, "Response has byte size " + std::to_string(size) +
                                                     " which exceeds gRPC's byte size limit " +
                                                     std::to_string(kMaxAnswer) + ".");
  }
  if (ResetIfUnread()) return;
  SendGrpcHead();
  const auto prefix = wire::GrpcPrefix(static_cast<uint32_t>(size), message.is_compressed);
  std::string_view lead(prefix.data(), prefix.size());
  if (message.bytes.empty()) message.bytes.emplace_back();
  for (Slice& slice : message.bytes) {
    session().Queue(this, std::exchange(lead, {}), std::move(slice));
  }
  connection_->MarkDirty();
}

void GrpcCall::SendGrpcHead() {
  if (std::exchange(is_head_sent_, true)) return;
  std::span<const Http2Field> head = kHead;
  if (answer_coding_ == wire::ContentCoding::kGzip) head = kHeadGzip;
  if (answer_coding_ == wire::ContentCoding::kDeflate) head = kHeadDeflate;
  session().SendHead(this, head, wire::FieldBytes::kStatic, wire::BodyFollows::kYes);
}

void GrpcCall::QueueStatus(api::GrpcStatus&& status) {
  if (is_finished_) return;
  is_finished_ = true;
  StopDeadline();
  if (!label_.empty()) {
    PT_LOG(services().logger, kVerbose,
           label_ + " answered " + std::to_string(static_cast<int>(status.code)));
  }
  connection_->MarkDirty();
  if (status.code == api::GrpcCode::kOk) {
    SendGrpcHead();
    return session().EndWithTrailers(this, kTrailersOk, wire::FieldBytes::kStatic);
  }
  const std::string code = std::to_string(static_cast<int>(status.code));
  const std::string message = wire::EncodeGrpcMessage(status.message, kMaxMessageText);
  const std::array<Http2Field, 2> trailers{Http2Field{"grpc-status", code},
                                           Http2Field{"grpc-message", message}};
  const size_t count = message.empty() ? 1 : 2;
  if (is_head_sent_) {
    return session().EndWithTrailers(this, std::span(trailers).first(count),
                                     wire::FieldBytes::kCopied);
  }
  std::array<Http2Field, 5> head{kStatus200, kGrpcType, trailers[0], trailers[1]};
  size_t size = 2 + count;
  if (status.code == api::GrpcCode::kUnimplemented) head[size++] = kAcceptEncoding;
  is_head_sent_ = true;
  session().SendHead(this, std::span(head).first(size), wire::FieldBytes::kCopied,
                     wire::BodyFollows::kNo);
}

}  // namespace pt::server
