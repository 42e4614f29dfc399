#include "server/http2_rest_call.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <utility>

#include "server/http2_connection.h"
#include "wire/grpc_frame.h"
#include "wire/json_writer.h"

namespace pt::server {
namespace {

using wire::Http2Field;

std::string LowerCase(std::string_view name) {
  std::string lower(name);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

// "/package.Service/Method": what only gRPC serves.
bool IsGrpcPath(std::string_view path) {
  if (path.empty() || path[0] != '/') return false;
  const size_t slash = path.find('/', 1);
  return slash != std::string_view::npos && path.substr(1, slash - 1).find('.') != path.npos;
}

bool ParseSize(std::string_view text, uint64_t* size) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), *size);
  return result.ec == std::errc() && result.ptr == text.data() + text.size();
}

}  // namespace

RestCall::KeptHead::KeptHead(const api::HttpRequestHead& head) {
  size_t size = head.method.size() + head.target.size();
  for (const api::HeaderView& header : head.headers)
    size += header.name.size() + header.value.size();
  text.reserve(size);  // so that the views stay
  const auto keep = [this](std::string_view part) {
    text.append(part);
    return std::string_view(text).substr(text.size() - part.size());
  };
  views.method = keep(head.method);
  views.target = keep(head.target);
  views.headers.reserve(head.headers.size());
  for (const api::HeaderView& header : head.headers) {
    const std::string_view name = keep(header.name);
    views.headers.push_back({name, keep(header.value)});
  }
}

RestCall::RestCall(Http2Protocol* protocol) : Http2Call(protocol) {}

RestCall::~RestCall() = default;

void RestCall::Start(const api::HttpRequestHead& head, bool has_body, bool is_head_too_large) {
  Logger* const logger = services().logger;
  if (logger != nullptr && logger->Admits(1)) {
    label_.append(head.method).append(" ").append(head.target);
  }
  is_head_method_ = head.method == "HEAD";
  if (is_head_too_large) {
    return Refuse(431, "expected a request head of at most " +
                           std::to_string(services().limits.max_header_bytes) + " bytes, got more");
  }
  if (IsGrpcPath(head.target)) {
    const bool is_grpc = wire::IsGrpcContentType(head.Find("content-type"));
    return is_grpc ? Refuse(405, "expected method POST for gRPC, got " + std::string(head.method))
                   : Refuse(415, "expected content-type application/grpc, got '" +
                                     std::string(head.Find("content-type")) + "'");
  }
  if (!has_body) return Dispatch(head, {});
  if (!PlanBody(head)) return;
  head_.emplace(head);
  head_->views.started = calls().now;
  if (head.Has("expect")) {
    constexpr std::array<Http2Field, 1> kContinue{Http2Field{":status", "100"}};
    session().SendInterimHead(this, kContinue);
    connection_->MarkDirty();
  }
}

// False: the request was refused.
bool RestCall::PlanBody(const api::HttpRequestHead& head) {
  const api::BodyPlan plan = services().http->Plan(head, connection_->role());
  if (plan.reject_status != 0) {
    Refuse(plan.reject_status, plan.reject_message);
    return false;
  }
  max_body_ = services().limits.max_request_bytes;
  if (plan.max_size != 0) max_body_ = std::min(max_body_, plan.max_size);
  has_expected_ = ParseSize(head.Find("content-length"), &expected_);
  if (has_expected_ && expected_ > max_body_) {
    Refuse(413, "expected a request body of at most " + std::to_string(max_body_) + " bytes, got " +
                    std::to_string(expected_));
    return false;
  }
  body_.emplace(services().pool, services().budget, plan.align_offset);
  return true;
}

void RestCall::OnData(std::string_view bytes) {
  Touch();
  if (!body_) return;  // refused
  if (body_->size() + bytes.size() > max_body_) {
    return Refuse(413, "expected a request body of at most " + std::to_string(max_body_) +
                           " bytes, got more");
  }
  if (has_expected_ && body_->size() == 0 && whole_.empty()) {
    if (bytes.size() == expected_) {
      whole_ = protocol_->SliceAt(bytes);
      return;
    }
    const Status reserved = body_->Reserve(expected_);
    if (!reserved.ok()) return Refuse(503, reserved.message());
  }
  const Status stored = body_->Append(bytes);
  if (!stored.ok()) Refuse(503, stored.message());
}

Protocol::Target RestCall::DirectTarget() {
  // Room was reserved with the first bytes.
  if (!body_ || !has_expected_ || body_->size() == 0) return {};
  return {body_->tail(), expected_ - body_->size()};
}

void RestCall::OnDirectBytes(size_t count) {
  Touch();
  body_->Advance(count);
}

void RestCall::OnEnd() {
  if (!body_) return;
  Slice body = std::move(whole_);
  if (body.empty()) {
    uint64_t claimed = 0;
    body = body_->Take(&claimed);
    KeepClaim(claimed);
  }
  body_.reset();
  Dispatch(head_->views, std::move(body));
  head_.reset();
}

void RestCall::Dispatch(const api::HttpRequestHead& head, Slice body) {
  EnterGate();
  services().http->Handle(head, std::move(body), connection_->role(), calls(),
                          RefPtr<api::HttpReplySink>(this));
}

void RestCall::Refuse(int status, std::string_view message) {
  body_.reset();
  head_.reset();
  api::HttpReply reply;
  reply.status = status;
  reply.content_type = "application/json";
  if (status == 405) reply.more_headers.emplace_back("allow", "POST");
  reply.body.push_back(Slice::OfString(wire::JsonError(message)));
  Send(std::move(reply));
}

void RestCall::OnTick(TimePoint now, Duration idle_limit) {
  if (ResetIfStalled(now, idle_limit)) return;
  if (body_ && now - touched_ > idle_limit) {
    Refuse(408, "expected more of the request body within body-idle-timeout-secs");
  }
}

void RestCall::FailCall(const std::string& reason) {
  if (is_finished_) return;
  if (const RefPtr<Responder> responder = std::move(responder_)) responder->Cancel();
  if (is_finished_) return;
  if (!is_head_sent_) return Refuse(503, reason);
  is_finished_ = true;
  session().Reset(this, wire::Http2Error::kInternal);
  connection_->MarkDirty();
}

void RestCall::OnClosed() {
  Disconnect();
  body_.reset();
  whole_ = Slice();
  const RefPtr<Responder> responder = std::move(responder_);
  if (!std::exchange(is_finished_, true) && responder) responder->Cancel();
  DropRef();
}

// Applies `change` to an answer: queued at once when this thread drives the loop, else posted.
template <typename Change>
void RestCall::Deliver(const Change& change) {
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

void RestCall::Send(api::HttpReply&& reply) {
  Deliver([&reply](Answer* answer) {
    answer->body = std::move(reply.body);
    answer->head = std::move(reply);
    answer->has_ended = true;
  });
}

void RestCall::SendHead(api::HttpReply&& head) {
  Deliver([&head](Answer* answer) {
    answer->body = std::move(head.body);
    answer->head = std::move(head);
    answer->is_streamed = true;
  });
}

void RestCall::SendChunk(SliceList&& bytes) {
  Deliver([&bytes](Answer* answer) {
    answer->body.insert(answer->body.end(), std::make_move_iterator(bytes.begin()),
                        std::make_move_iterator(bytes.end()));
  });
}

void RestCall::End() {
  Deliver([](Answer* answer) { answer->has_ended = true; });
}

void RestCall::RunOnLoop() {
  if (outbox_.is_waiting()) Apply(outbox_.Take());
  DropRef();
}

void RestCall::Apply(Answer&& answer) {
  if (is_finished_) return;
  if (answer.head) QueueHead(*answer.head, TotalSize(answer.body), answer.is_streamed);
  if (!is_head_method_) {
    if (!answer.body.empty() && ResetIfUnread()) return;
    for (Slice& slice : answer.body) session().Queue(this, {}, std::move(slice));
  }
  if (answer.has_ended) {
    is_finished_ = true;
    responder_.Reset();
    if (!is_head_method_) session().End(this);
  }
  connection_->MarkDirty();
}

void RestCall::QueueHead(const api::HttpReply& head, uint64_t body_size, bool is_streamed) {
  if (std::exchange(is_head_sent_, true)) return;
  if (!label_.empty()) {
    PT_LOG(services().logger, kVerbose, label_ + " answered " + std::to_string(head.status));
  }
  const std::string status = std::to_string(head.status);
  const std::string length = std::to_string(body_size);
  const std::string header_length = std::to_string(head.inference_header_length);
  std::vector<std::string> names;
  names.reserve(head.more_headers.size());  // so that the views stay
  std::vector<Http2Field> fields{{":status", status}};
  if (!head.content_type.empty()) fields.push_back({"content-type", head.content_type});
  if (head.inference_header_length >= 0) {
    fields.push_back({"inference-header-content-length", header_length});
  }
  if (!head.content_encoding.empty()) fields.push_back({"content-encoding", head.content_encoding});
  if (!is_streamed) fields.push_back({"content-length", length});
  for (const auto& [name, value] : head.more_headers) {
    names.push_back(LowerCase(name));
    if (!wire::IsConnectionField(names.back())) fields.push_back({names.back(), value});
  }
  session().SendHead(this, fields, wire::FieldBytes::kCopied,
                     is_head_method_ ? wire::BodyFollows::kNo : wire::BodyFollows::kYes);
}

}  // namespace pt::server
