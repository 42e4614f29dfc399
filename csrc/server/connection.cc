#include "server/connection.h"

#include <algorithm>
#include <array>
#include <utility>

#include "server/protocol.h"
#include "wire/http2_frame.h"

namespace pt::server {
namespace {

// How long we listen after our last word, so that the client reads it instead of a reset.
constexpr Duration kLinger = std::chrono::seconds(2);
// How often bytes are received where they belong before others get their turn.
constexpr int kDirectReads = 16;

}  // namespace

Connection::Connection(RefPtr<LoopContext> context, int fd, api::PortRole role)
    : context_(std::move(context)),
      role_(role),
      stream_(&context_->loop(), fd, this),
      in_(&context_->arena()) {}

Connection::~Connection() = default;

void Connection::Secure(std::unique_ptr<net::TlsSession> session) {
  first_byte_ = context_->loop().now();
  stream_.Secure(std::move(session), &context_->turns());
}

bool Connection::Open() {
  if (!stream_.Open().ok()) return false;
  is_open_ = true;
  sent_at_ = context_->loop().now();
  return true;
}

void Connection::Close() {
  if (!is_open_) return;
  is_open_ = false;
  context_->loop().ForgetFlush(this);
  stream_.Close();
  if (protocol_) protocol_->OnClosed();
  in_.Clear();
  context_->Remove(this);
}

void Connection::CloseAfterFlush() {
  if (!is_open_) return;
  is_closing_ = true;
  MarkDirty();
}

void Connection::PauseReading() {
  is_paused_ = true;
  stream_.PauseReading();
}

void Connection::ResumeReading() {
  if (!is_open_ || !is_paused_) return;
  is_paused_ = false;
  if (!has_eof_) stream_.ResumeReading();
  if (is_feed_posted_) return;
  is_feed_posted_ = true;
  AddRef();  // the post's
  context_->loop().Post(this);
}

void Connection::RunOnLoop() {
  is_feed_posted_ = false;
  if (is_open_ && !is_closing_ && !is_paused_) {
    Feed();
  }
  DropRef();
}

void Connection::DropUnrun() { DropRef(); }

void Connection::OnReadable() {
  if (is_closing_) return Discard();
  if (is_feed_posted_) return;  // first what is in the buffer; the event comes again
  Protocol::Target target = protocol_ ? protocol_->DirectTarget() : Protocol::Target{};
  if (target.size == 0) {
    stream_.AwaitBytes(1);
    return ReadIntoBuffer();
  }
  for (int i = 0; i < kDirectReads; ++i) {
    const net::ReadResult result = stream_.Read(target.data, target.size);
    if (result.state == net::ReadState::kData) {
      protocol_->OnDirectBytes(result.count);
    } else {
      OnRead(result);
    }
    if (!is_open_ || is_paused_ || is_closing_ || has_eof_) break;
    // Less than there was room for: there is no more for now.
    if (result.count < target.size) return stream_.AwaitBytes(target.size - result.count);
    target = protocol_->DirectTarget();
    if (target.size == 0) {
      // What follows a body has mostly come with it: the end of its stream, the next request.
      stream_.AwaitBytes(1);
      return ReadIntoBuffer();
    }
  }
  stream_.AwaitBytes(1);
}

void Connection::ReadIntoBuffer() {
  size_t room = 0;
  char* const data = in_.Prepare(&room);
  if (data == nullptr) return Close();  // no memory, not even for an error
  const bool was_empty = in_.empty();
  const net::ReadResult result = stream_.Read(data, room);
  in_.Commit(result.count);
  if (result.state == net::ReadState::kData) {
    if (was_empty && !protocol_) first_byte_ = context_->loop().now();
    Feed();
  }
  in_.Settle();
  OnRead(result);
}

void Connection::OnRead(net::ReadResult result) {
  if (!is_open_) return;
  if (result.state == net::ReadState::kBroken) return Close();
  if (result.state != net::ReadState::kEof) return;
  has_eof_ = true;
  stream_.PauseReading();  // the end of input stays readable
  if (!protocol_) return Close();
  protocol_->OnEof();
}

void Connection::Feed() {
  if (!protocol_ && !Sniff()) return;
  if (!in_.empty()) protocol_->OnBytes(in_);
  if (is_open_) in_.Settle();
}

// True when the protocol is known. The preface's first bytes, "PRI * HTTP/2", are no HTTP/1
// request.
bool Connection::Sniff() {
  const std::string_view bytes = in_.bytes();
  const size_t common = std::min(bytes.size(), wire::kHttp2Preface.size());
  const bool may_be_http2 = bytes.substr(0, common) == wire::kHttp2Preface.substr(0, common);
  if (may_be_http2 && common < wire::kHttp2Preface.size()) return false;
  protocol_ = may_be_http2 ? NewHttp2Protocol(this) : NewHttp1Protocol(this);
  if (is_draining_) protocol_->BeginDrain();
  return is_open_;
}

void Connection::Discard() {
  std::array<char, 4096> scratch;
  const net::ReadResult result = stream_.Read(scratch.data(), scratch.size());
  if (result.state == net::ReadState::kData || result.state == net::ReadState::kWouldBlock) return;
  has_eof_ = true;
  stream_.PauseReading();
  if (is_lingering_ || result.state == net::ReadState::kBroken) Close();
}

void Connection::OnWritable() { FlushNow(); }

void Connection::OnBroken() {
  const std::string failure = stream_.TlsFailure();
  if (!failure.empty()) {
    PT_VLOG(services().logger, 1, std::string_view(),
            stream_.PeerName() + ": TLS failed: " + failure);
  }
  Close();
}

void Connection::OnDrained() {
  if (protocol_) protocol_->OnDrained();
}

void Connection::FlushNow() {
  if (!is_open_) return;
  if (protocol_) protocol_->BeforeFlush();
  if (is_open_) stream_.Flush();
  if (!is_open_ || !is_closing_ || is_lingering_ || stream_.queued() > 0) return;
  if (has_eof_) return Close();
  stream_.ShutdownWrite();
  is_lingering_ = true;
  linger_until_ = context_->loop().now() + kLinger;
  in_.Clear();
  stream_.AwaitBytes(1);
  stream_.ResumeReading();
  context_->CountLingering();
}

void Connection::Tick(TimePoint now) {
  if (is_lingering_) {
    if (now >= linger_until_) Close();
    return;
  }
  // What a slow client sent is progress, too.
  if (stream_.awaits_bytes() && !is_paused_) OnReadable();
  CloseIfStuck(now);
  if (!is_open_ || is_closing_) return;
  if (protocol_) return protocol_->OnTick(now);
  // A handshake, or the first bytes of a preface, and then nothing.
  const bool has_begun = stream_.is_in_handshake() || !in_.empty();
  if (has_begun && now - first_byte_ > services().limits.header_timeout) Close();
}

// A client that doesn't take its answers must not keep them in memory for ever.
void Connection::CloseIfStuck(TimePoint now) {
  if (stream_.queued() == 0 || stream_.sent_total() != sent_before_) {
    sent_before_ = stream_.sent_total();
    sent_at_ = now;
  } else if (now - sent_at_ > services().limits.body_idle_timeout) {
    Close();
  }
}

void Connection::BeginDrain() {
  if (is_draining_) return;
  is_draining_ = true;
  if (!is_open_ || is_closing_) return;
  if (protocol_) return protocol_->BeginDrain();
  if (in_.empty()) Close();
}

void Connection::FailCalls(const std::string& reason) {
  if (is_open_ && protocol_) protocol_->FailCalls(reason);
}

}  // namespace pt::server
