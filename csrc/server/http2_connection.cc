#include "server/http2_connection.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "server/http2_grpc_call.h"
#include "server/http2_rest_call.h"
#include "server/protocol.h"
#include "wire/grpc_frame.h"

namespace pt::server {
namespace {

// Deadlines further away are looked at again by the tick: most calls are answered long before, and
// a timer keeps the connection in memory until it fires.
constexpr Duration kTimerHorizon = std::chrono::milliseconds(1500);

// Shorter pieces of a body come with what follows them.
constexpr size_t kMinDirect = 4 << 10;

wire::Http2Limits LimitsOf(const ConnectionLimits& limits) {
  wire::Http2Limits http2;
  http2.max_streams = limits.max_http2_streams;
  http2.max_header_bytes = limits.max_header_bytes;
  return http2;
}

}  // namespace

std::unique_ptr<Protocol> NewHttp2Protocol(Connection* connection) {
  return std::make_unique<Http2Protocol>(connection);
}

Http2Protocol::Http2Protocol(Connection* connection) : connection_(connection) {
  touched_ = connection_->context().loop().now();
  auto session = wire::Http2Session::Create(LimitsOf(connection_->services().limits), this, this);
  if (session.ok()) {
    session_ = std::move(session).value();
    connection_->MarkDirty();
  } else {
    PT_LOG(connection_->services().logger, kError, session.status().message());
    connection_->CloseAfterFlush();
  }
}

Http2Protocol::~Http2Protocol() = default;

void Http2Protocol::OnBytes(net::ReadBuffer& in) {
  const std::string_view bytes = in.bytes();
  touched_ = connection_->context().loop().now();
  if (session_ && !is_failed_) {
    reading_ = &in;
    const Status received = session_->Receive(bytes, touched_);
    reading_ = nullptr;
    AfterReceive(received);
  }
  in.Consume(bytes.size());
}

void Http2Protocol::AfterReceive(const Status& received) {
  if (!received.ok()) {
    is_failed_ = true;
    PT_VLOG(connection_->services().logger, 1, std::string_view(),
            connection_->stream().PeerName() + ": " + received.message());
  }
  if (is_failed_ || session_->wants_write() || session_->is_finished()) connection_->MarkDirty();
}

// The bytes of a large tensor go straight where it is put together. Between them lie the heads of
// frames, received alone, so that what follows can go there, too.
Protocol::Target Http2Protocol::DirectTarget() {
  if (!session_ || is_failed_) return {};
  if (auto* const call = static_cast<Http2Call*>(session_->reading())) {
    const Target target = call->DirectTarget();
    if (target.size < kMinDirect || session_->data_frame_size() < kMinDirect) return {};
    // However short the rest of the frame is: the next one then begins where it can go there whole.
    return {target.data, std::min(target.size, session_->data_left())};
  }
  if (receiving_ == nullptr || receiving_->DirectTarget().size < kMinDirect) return {};
  return {frame_head_.data(), session_->frame_head_left()};
}

void Http2Protocol::OnDirectBytes(size_t count) {
  touched_ = connection_->context().loop().now();
  auto* const call = static_cast<Http2Call*>(session_->reading());
  if (call == nullptr) {
    return AfterReceive(session_->Receive({frame_head_.data(), count}, touched_));
  }
  call->OnDirectBytes(count);
  AfterReceive(session_->ReceivedData(count, touched_));
}

void Http2Protocol::OnEof() {
  // A client that shut down its sending side can't even acknowledge settings: it is gone.
  connection_->Close();
}

void Http2Protocol::BeforeFlush() {
  if (!session_) return;
  if (is_draining_ && session_->open_streams() == 0) SayGoodbye();
  const size_t queued = connection_->stream().queued();
  if (queued < net::Stream::kHighMark) session_->Produce(net::Stream::kHighMark - queued);
  const bool is_over =
      is_failed_ || session_->is_finished() || (said_goodbye_ && session_->open_streams() == 0);
  if (is_closing_ || !is_over || session_->wants_write()) return;
  is_closing_ = true;
  connection_->CloseAfterFlush();
}

void Http2Protocol::SayGoodbye() {
  if (std::exchange(said_goodbye_, true)) return;
  session_->GoAway(wire::Http2Error::kNone);
}

void Http2Protocol::OnTick(TimePoint now) {
  if (!session_) return;
  ExpireDeadlines();
  const ConnectionLimits& limits = connection_->services().limits;
  session_->ForEachStream([now, &limits](wire::Http2Stream* stream) {
    static_cast<Http2Call*>(stream)->OnTick(now, limits.body_idle_timeout);
  });
  if (session_->open_streams() == 0 && now - touched_ > limits.idle_timeout) is_draining_ = true;
  if (!is_draining_) return;
  // Requests that crossed our announcement on the wire have arrived by now.
  SayGoodbye();
  DrainCalls(Http2Call::DrainStep::kLast);
  connection_->MarkDirty();
}

void Http2Protocol::BeginDrain() {
  if (!session_ || is_draining_) return;
  is_draining_ = true;
  // Nothing is under way: a request that crosses the last word is known to be safe to send again.
  if (session_->open_streams() > 0) session_->AnnounceGoAway();
  DrainCalls(Http2Call::DrainStep::kFirst);
  connection_->MarkDirty();
}

void Http2Protocol::DrainCalls(Http2Call::DrainStep step) {
  session_->ForEachStream(
      [step](wire::Http2Stream* stream) { static_cast<Http2Call*>(stream)->BeginDrain(step); });
}

void Http2Protocol::FailCalls(const std::string& reason) {
  if (!session_) return;
  session_->ForEachStream(
      [&reason](wire::Http2Stream* stream) { static_cast<Http2Call*>(stream)->FailCall(reason); });
  connection_->MarkDirty();
}

void Http2Protocol::OnClosed() { session_.reset(); }

Http2Protocol::Deadlines::iterator Http2Protocol::AddDeadline(TimePoint when, Http2Call* call) {
  // Clients use one time-out for all their calls: the newest deadline is the last.
  const auto entry = deadlines_.emplace_hint(deadlines_.end(), when, call);
  if (when < timer_at_ && entry == deadlines_.begin()) ArmDeadlineTimer();
  return entry;
}

void Http2Protocol::ArmDeadlineTimer() {
  net::Loop& loop = connection_->context().loop();
  if (deadlines_.empty() || deadlines_.begin()->first - loop.now() > kTimerHorizon) return;
  timer_at_ = deadlines_.begin()->first;
  // The timer's reference keeps the connection, closed or not, for a moment.
  loop.StartTimer(timer_at_ - loop.now(), [self = RefPtr<Connection>(connection_), this] {
    if (!self->is_open()) return;
    timer_at_ = kNoDeadline;
    ExpireDeadlines();
  });
}

void Http2Protocol::ExpireDeadlines() {
  const TimePoint now = connection_->context().loop().now();
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    deadlines_.begin()->second->OnDeadline();  // removes its entry
  }
  if (timer_at_ == kNoDeadline) ArmDeadlineTimer();
}

void Http2Protocol::OnRequest(const wire::Http2Head& head) {
  head_.method = head.method;
  head_.target = head.path;
  head_.headers.clear();
  bool is_grpc = false;
  for (const wire::Http2Field& field : head.fields) {
    head_.headers.push_back({field.name, field.value});
    if (field.name == "content-type") is_grpc = wire::IsGrpcContentType(field.value);
  }
  const api::PortRole role = connection_->role();
  const bool has_grpc = role == api::PortRole::kHttp || role == api::PortRole::kGrpc;
  if (is_grpc && has_grpc && head.method == "POST") {
    StartGrpc(head);
  } else {
    StartRest(head);
  }
}

void Http2Protocol::StartGrpc(const wire::Http2Head& head) {
  RefPtr<GrpcCall> call = MakeRef<GrpcCall>(this);
  session_->Accept(call.get());
  GrpcCall* const started = call.Release();  // OnClosed drops this reference
  started->Start(head_, head.is_too_large);
  if (!head.has_body) started->OnEnd();
}

void Http2Protocol::StartRest(const wire::Http2Head& head) {
  RefPtr<RestCall> call = MakeRef<RestCall>(this);
  session_->Accept(call.get());
  call.Release()->Start(head_, head.has_body, head.is_too_large);
}

void Http2Protocol::OnData(wire::Http2Stream* stream, std::string_view bytes) {
  receiving_ = static_cast<Http2Call*>(stream);
  receiving_->OnData(bytes);
}

void Http2Protocol::OnEnd(wire::Http2Stream* stream) { static_cast<Http2Call*>(stream)->OnEnd(); }

void Http2Protocol::OnClose(wire::Http2Stream* stream, wire::Http2Error) {
  if (stream == receiving_) receiving_ = nullptr;
  static_cast<Http2Call*>(stream)->OnClosed();
}

}  // namespace pt::server
