#include "load/http_session.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "load/clock.h"

namespace pt::load {
namespace {
constexpr size_t kMaxErrorBytes = 1024;
}  // namespace

void HttpSession::Start(int64_t started_ns) {
  started_ns_ = started_ns;
  in_flight_ = 1;
  check_.Start(*shared_->book);
  error_body_.clear();
  out_.AddBorrowed(*shared_->request, 0, shared_->request->size());
}

void HttpSession::End(Outcome outcome, const std::string* reason) {
  in_flight_ = 0;
  shared_->owner->OnEnded(*this, {outcome, started_ns_, now_, reason});
}

void HttpSession::Break(const std::string& reason) {
  is_broken_ = true;
  if (in_flight_ > 0) End(Outcome::kFailed, &reason);
}

void HttpSession::OnAnswer() {
  const HttpResponseParser::Head& head = parser_.head();
  is_broken_ = is_broken_ || head.is_last;
  int status = head.status;
  size_t json_bytes = head.json_bytes;
  parser_.Reset();
  if (status == 200) {
    Status answer = check_.Finish(*shared_->book, json_bytes);
    if (answer.ok()) return End(Outcome::kRight, nullptr);
    return End(Outcome::kWrong, &answer.message());
  }
  std::string reason = "HTTP " + std::to_string(status) + ": " + error_body_;
  bool is_refusal = status == 503 || status == 429;
  End(is_refusal ? Outcome::kRefused : Outcome::kFailed, &reason);
}

void HttpSession::OnBytes(std::string_view bytes) {
  while (!bytes.empty() && !is_broken_) {
    if (in_flight_ == 0) return Break("bytes came that nobody asked for");
    Status status = parser_.Feed(bytes, [this](std::string_view part) {
      if (parser_.head().status == 200) return check_.Feed(*shared_->book, part);
      error_body_.append(
          part.substr(0, kMaxErrorBytes - std::min(kMaxErrorBytes, error_body_.size())));
    });
    if (!status.ok()) return Break(status.message());
    if (!parser_.is_complete()) continue;
    OnAnswer();
    // What follows cannot answer the next request, which has not left yet.
    if (!bytes.empty()) return Break("bytes came that nobody asked for");
  }
}

void HttpSession::OnReadable() {
  std::string& buffer = shared_->receive_buffer;
  while (!is_broken_) {
    ssize_t size = recv(fd(), buffer.data(), buffer.size(), 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
      return socket_.AwaitBytes(parser_.body_left());
    }
    now_ = NowNs();
    if (size < 0) return Break(std::string("receive: ") + std::strerror(errno));
    if (size == 0) return Break("the server closed the connection");
    OnBytes({buffer.data(), static_cast<size_t>(size)});
    if (static_cast<size_t>(size) < buffer.size()) {
      return socket_.AwaitBytes(parser_.body_left());
    }
  }
}

}  // namespace pt::load
