#include "server/http1_connection.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "server/protocol.h"
#include "wire/json_writer.h"

namespace pt::server {
namespace {

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
// Most answers are there sooner than a client that half-closed is asked whether it still listens.
constexpr Duration kProbeDelay = std::chrono::milliseconds(10);

api::HttpReply ErrorReply(int status, std::string_view message) {
  api::HttpReply reply;
  reply.status = status;
  reply.content_type = "application/json";
  reply.body.push_back(Slice::OfString(wire::JsonError(message)));
  return reply;
}

}  // namespace

std::unique_ptr<Protocol> NewHttp1Protocol(Connection* connection) {
  return std::make_unique<Http1Protocol>(connection);
}

Http1Protocol::Http1Protocol(Connection* connection) : connection_(connection) { Touch(); }

Http1Protocol::~Http1Protocol() = default;

void Http1Protocol::Touch() { touched_ = connection_->context().loop().now(); }

void Http1Protocol::OnBytes(net::ReadBuffer& in) {
  Touch();
  bool goes_on = true;
  while (goes_on && connection_->is_open() && !in.empty()) {
    switch (state_) {
      case State::kHead:
        goes_on = ReadHead(in);
        break;
      case State::kLengthBody:
        goes_on = ReadLengthBody(in);
        break;
      case State::kChunkedBody:
        goes_on = ReadChunkedBody(in);
        break;
      case State::kDone:
        in.Consume(in.bytes().size());
        break;
    }
  }
}

// True: go on with what is left in `in`.
bool Http1Protocol::ReadHead(net::ReadBuffer& in) {
  const ConnectionLimits& limits = connection_->services().limits;
  if (calls_.size() >= limits.max_pipelined) {
    connection_->PauseReading();
    return false;
  }
  // Empty lines before a request are ignored (RFC 9112, section 2.2).
  while (!has_partial_head_ && in.bytes().substr(0, 2) == "\r\n") in.Consume(2);
  if (in.empty()) return false;
  if (!has_partial_head_) head_started_ = touched_;
  has_partial_head_ = true;
  const auto found = scanner_.Scan(in.bytes());
  if (found == wire::Http1HeadScanner::State::kBad) {
    Refuse(400, "expected every line of the request head to end in CR LF");
    return true;
  }
  const bool is_complete = found == wire::Http1HeadScanner::State::kComplete;
  if ((is_complete ? scanner_.head_size() : in.bytes().size()) > limits.max_header_bytes) {
    Refuse(431, "expected a request head of at most " + std::to_string(limits.max_header_bytes) +
                    " bytes, got more");
    return true;
  }
  if (!is_complete) return false;
  const std::string_view head = in.bytes().substr(0, scanner_.head_size());
  scanner_.Reset();
  has_partial_head_ = false;
  return AcceptHead(in, head);
}

wire::Http1Fault Http1Protocol::ParseHead(std::string_view head) {
  wire::Http1Fault fault = wire::ParseHttp1Head(head, &request_);
  if (!fault.ok()) return fault;
  const size_t max_headers = connection_->services().limits.max_headers;
  if (request_.fields.size() > max_headers) {
    return {431, "expected at most " + std::to_string(max_headers) + " headers, got " +
                     std::to_string(request_.fields.size())};
  }
  head_.method = request_.method;
  head_.target = request_.target;
  head_.started = head_started_;
  head_.headers.clear();
  for (const wire::Http1Field& field : request_.fields) {
    head_.headers.push_back({field.name, field.value});
  }
  return {};
}

bool Http1Protocol::AcceptHead(net::ReadBuffer& in, std::string_view head) {
  const wire::Http1Fault fault = ParseHead(head);
  if (!fault.ok()) {
    Refuse(fault.status, fault.message);
    return true;
  }
  in.Consume(head.size());
  if (request_.body == wire::BodyKind::kNone) {
    Dispatch({}, 0);
    return true;
  }
  uint64_t align_offset = 0;
  if (!PlanBody(&align_offset)) return true;
  return StartBody(in, head, align_offset);
}

bool Http1Protocol::PlanBody(uint64_t* align_offset) {
  const Services& services = connection_->services();
  const api::BodyPlan plan = services.http->Plan(head_, connection_->role());
  if (plan.reject_status != 0) {
    Refuse(plan.reject_status, plan.reject_message);
    return false;
  }
  max_body_ = services.limits.max_request_bytes;
  if (plan.max_size != 0) max_body_ = std::min(max_body_, plan.max_size);
  if (request_.content_length > max_body_) {
    Refuse(413, "expected a request body of at most " + std::to_string(max_body_) + " bytes, got " +
                    std::to_string(request_.content_length));
    return false;
  }
  *align_offset = plan.align_offset;
  return true;
}

bool Http1Protocol::StartBody(net::ReadBuffer& in, std::string_view head, uint64_t align_offset) {
  const bool is_chunked = request_.body == wire::BodyKind::kChunked;
  if (!is_chunked && in.bytes().size() >= request_.content_length) {
    const Slice body = in.SliceAt(in.bytes().data(), request_.content_length);
    in.Consume(request_.content_length);
    Dispatch(body, 0);
    return true;
  }
  const Services& services = connection_->services();
  body_ = std::make_unique<Body>(services.pool, services.budget, align_offset);
  body_->head_text = head;
  if (is_chunked) {
    body_->chunks = std::make_unique<wire::Http1ChunkedBody>(max_body_);
    state_ = State::kChunkedBody;
  } else {
    body_->expected = request_.content_length;
    const Status reserved = body_->buffer.Reserve(body_->expected);
    if (!reserved.ok()) {
      Refuse(503, reserved.message());
      return true;
    }
    state_ = State::kLengthBody;
  }
  if (request_.expects_continue && in.empty()) AskForBody();
  ForgetHead();
  return true;
}

void Http1Protocol::AskForBody() {
  if (request_.minor_version == 0) return;  // RFC 9110, section 10.1.1
  owes_continue_ = true;
  connection_->MarkDirty();
}

bool Http1Protocol::ReadLengthBody(net::ReadBuffer& in) {
  const uint64_t missing = body_->expected - body_->buffer.size();
  const std::string_view part = in.bytes().substr(0, missing);
  // There is room: it was reserved with the head.
  [[maybe_unused]] const Status appended = body_->buffer.Append(part);
  in.Consume(part.size());
  if (body_->buffer.size() == body_->expected) DispatchBody();
  return true;
}

Protocol::Target Http1Protocol::DirectTarget() {
  if (state_ != State::kLengthBody) return {};
  return {body_->buffer.tail(), body_->expected - body_->buffer.size()};
}

void Http1Protocol::OnDirectBytes(size_t count) {
  Touch();
  body_->buffer.Advance(count);
  if (body_->buffer.size() == body_->expected) DispatchBody();
}

bool Http1Protocol::ReadChunkedBody(net::ReadBuffer& in) {
  size_t consumed = 0;
  Status stored;
  const wire::Http1Fault fault =
      body_->chunks->Decode(in.bytes(), &consumed, [this, &stored](std::string_view data) {
        if (stored.ok()) stored = body_->buffer.Append(data);
      });
  in.Consume(consumed);
  if (!fault.ok()) {
    Refuse(fault.status, fault.message);
  } else if (!stored.ok()) {
    Refuse(503, stored.message());
  } else if (body_->chunks->is_complete()) {
    DispatchBody();
  } else {
    return consumed > 0;
  }
  return true;
}

void Http1Protocol::DispatchBody() {
  const std::unique_ptr<Body> body = std::move(body_);
  state_ = State::kHead;
  // The buffer the head was parsed in may be gone: parse its copy. It was found good before.
  [[maybe_unused]] const wire::Http1Fault fault = ParseHead(body->head_text);
  uint64_t claimed = 0;
  Slice bytes = body->buffer.Take(&claimed);
  Dispatch(std::move(bytes), claimed);
}

RefPtr<Http1Call> Http1Protocol::NewCall(uint64_t claimed_bytes, bool keeps_alive) {
  Http1CallTraits traits;
  traits.minor_version = request_.minor_version;
  traits.is_head = head_.method == "HEAD";
  traits.keeps_alive = keeps_alive && !is_draining_;
  traits.claimed_bytes = claimed_bytes;
  Logger* const logger = connection_->services().logger;
  if (logger != nullptr && logger->Admits(1)) {
    traits.label.append(head_.method).append(" ").append(head_.target);
  }
  auto call = MakeRef<Http1Call>(RefPtr<Connection>(connection_), std::move(traits));
  calls_.push_back(call);
  return call;
}

void Http1Protocol::Dispatch(Slice body, uint64_t claimed_bytes) {
  const RefPtr<Http1Call> call = NewCall(claimed_bytes, request_.keeps_alive);
  // What comes behind the last request is not looked at (RFC 9112, section 9.6).
  if (!call->keeps_alive()) StopReadingRequests();
  connection_->services().http->Handle(head_, std::move(body), connection_->role(),
                                       connection_->context().calls(), call);
  ForgetHead();
}

// Its views end with the bytes they point into.
void Http1Protocol::ForgetHead() {
  head_.method = head_.target = {};
  head_.headers.clear();
}

// Answers an error in its turn and ends the connection: where the next request would begin is
// unknown.
void Http1Protocol::Refuse(int status, std::string_view message) {
  body_.reset();
  owes_continue_ = false;
  StopReadingRequests();
  NewCall(0, false)->Send(ErrorReply(status, message));
  ForgetHead();
}

void Http1Protocol::StopReadingRequests() {
  state_ = State::kDone;
  has_partial_head_ = false;
}

void Http1Protocol::BeforeFlush() {
  WriteAnswers();
  if (!connection_->is_open()) return;
  if (calls_.empty() && owes_continue_) {
    owes_continue_ = false;
    connection_->stream().Write(kContinue);
  }
  const bool is_over =
      state_ == State::kDone || has_eof_ || (is_draining_ && state_ == State::kHead);
  if (calls_.empty() && is_over) return connection_->CloseAfterFlush();
  if (connection_->is_reading_paused() && !has_eof_ &&
      calls_.size() < connection_->services().limits.max_pipelined) {
    connection_->ResumeReading();
  }
}

void Http1Protocol::WriteAnswers() {
  net::Stream& stream = connection_->stream();
  while (!calls_.empty()) {
    Http1Call& call = *calls_.front();
    if (calls_.size() == 1 && state_ == State::kDone) call.SetLast();
    if (!call.WriteTo(&stream)) break;
    const bool ends = !call.keeps_alive();
    calls_.erase(calls_.begin());
    Touch();
    if (!ends) continue;
    state_ = State::kDone;
    for (const RefPtr<Http1Call>& unanswered : calls_) unanswered->Abandon();
    calls_.clear();
  }
  if (stream.queued() > kMaxUnread && !calls_.empty() && calls_.front()->is_head_written()) {
    connection_->Close();
  }
}

void Http1Protocol::OnEof() {
  has_eof_ = true;
  if (state_ == State::kLengthBody) {
    Refuse(400, "expected a request body of " + std::to_string(body_->expected) + " bytes, got " +
                    std::to_string(body_->buffer.size()) + " before the client stopped sending");
  } else if (state_ == State::kChunkedBody) {
    Refuse(400, "expected a last chunk, got the end of what the client sent");
  } else if (has_partial_head_) {
    Refuse(400, "expected a complete request head, got the end of what the client sent");
  }
  if (calls_.empty()) return connection_->CloseAfterFlush();
  // The timer's reference keeps the connection, closed or not, for a moment.
  const RefPtr<Connection> self(connection_);
  connection_->context().loop().StartTimer(kProbeDelay, [self, this] { ProbeClient(); });
}

// After FIN: an interim response, which every HTTP/1.1 client must be able to skip (RFC 9110,
// section 15.2). A client that closed its socket answers it with a reset, which ends the connection
// and cancels the request; one that only half-closed gets its answer.
void Http1Protocol::ProbeClient() {
  if (!connection_->is_open() || calls_.empty()) return;
  const Http1Call& next = *calls_.front();
  if (next.minor_version() == 0 || next.is_head_written()) return;
  connection_->stream().Write(kContinue);
  connection_->MarkDirty();
}

void Http1Protocol::OnTick(TimePoint now) {
  const ConnectionLimits& limits = connection_->services().limits;
  if (has_partial_head_) {
    if (now - head_started_ > limits.header_timeout) {
      Refuse(408, "expected a complete request head within header-timeout-secs");
    }
  } else if (body_) {
    // While the client waits for its turn to be asked, or we don't read, the delay is ours.
    if (owes_continue_ || connection_->is_reading_paused()) return;
    if (now - touched_ > limits.body_idle_timeout) {
      Refuse(408, "expected more of the request body within body-idle-timeout-secs");
    }
  } else if (calls_.empty() && now - touched_ > limits.idle_timeout) {
    connection_->Close();
  }
}

void Http1Protocol::BeginDrain() {
  is_draining_ = true;
  // A body that is on its way belongs to a call; a head does not yet.
  const bool has_body = state_ == State::kLengthBody || state_ == State::kChunkedBody;
  if (has_body || !calls_.empty()) {
    if (!has_body) StopReadingRequests();
    connection_->MarkDirty();
  } else if (connection_->stream().queued() > 0) {
    connection_->CloseAfterFlush();
  } else {
    connection_->Close();
  }
}

void Http1Protocol::FailCalls(const std::string& reason) {
  if (state_ != State::kDone) Refuse(503, reason);
  for (const RefPtr<Http1Call>& call : calls_) call->Fail(ErrorReply(503, reason));
}

void Http1Protocol::OnClosed() {
  state_ = State::kDone;
  has_partial_head_ = false;
  body_.reset();
  std::vector<RefPtr<Http1Call>> calls;
  calls.swap(calls_);
  for (const RefPtr<Http1Call>& call : calls) call->Abandon();
}

}  // namespace pt::server
