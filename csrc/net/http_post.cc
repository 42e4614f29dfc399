#include "net/http_post.h"

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <memory>
#include <utility>

#include "base/unique_fd.h"

namespace pt::net {
namespace {

constexpr std::string_view kScheme = "http://";
constexpr std::string_view kSecureScheme = "https://";
// "HTTP/1.1 200"
constexpr size_t kStatusAt = 9;
constexpr size_t kStatusEnd = 12;

bool IsText(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
}

Status NoAnswer(const HttpUrl& url, std::string_view why) {
  return Unavailable("expected an answer from " + url.host + ":" + url.port + ", " +
                     std::string(why));
}

bool Await(int fd, int16_t events, TimePoint deadline) {
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    pollfd waited{fd, events, 0};
    const int found = poll(&waited, 1, static_cast<int>(left.count()) + 1);
    if (found > 0) return true;
    if (found < 0 && errno != EINTR) return false;
  }
}

// None: this address does not answer.
UniqueFd ConnectTo(const addrinfo& address, TimePoint deadline) {
  UniqueFd made(socket(address.ai_family, address.ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                       address.ai_protocol));
  if (!made.is_open()) return made;
  if (connect(made.get(), address.ai_addr, address.ai_addrlen) == 0) return made;
  int error = 0;
  socklen_t size = sizeof(error);
  const bool is_up = errno == EINPROGRESS && Await(made.get(), POLLOUT, deadline) &&
                     getsockopt(made.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
  return is_up ? std::move(made) : UniqueFd();
}

UniqueFd Connect(const HttpUrl& url, TimePoint deadline) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(url.host.c_str(), url.port.c_str(), &hints, &found) != 0) return UniqueFd();
  UniqueFd connected;
  for (const addrinfo* at = found; at != nullptr && !connected.is_open(); at = at->ai_next) {
    connected = ConnectTo(*at, deadline);
  }
  freeaddrinfo(found);
  return connected;
}

// One connection, in clear text or with TLS; each function waits for the other side.
class Exchange {
 public:
  // `tls`: null for clear text.
  Exchange(int fd, TlsSession* tls, TimePoint deadline) : fd_(fd), tls_(tls), deadline_(deadline) {}

  bool Shake() {
    TlsState state = TlsState::kDone;
    do {
      state = tls_->Handshake();
    } while (Awaits(state));
    return state == TlsState::kDone;
  }

  bool SendAll(std::string_view bytes) {
    while (!bytes.empty()) {
      const TlsResult sent = tls_ == nullptr ? Send(bytes) : tls_->Write(bytes, TlsMore::kNo);
      if (sent.state == TlsState::kDone) {
        bytes.remove_prefix(sent.count);
      } else if (!Awaits(sent.state)) {
        return false;
      }
    }
    return true;
  }

  // The beginning of the answer; shorter when there was no more.
  std::string ReadStart() {
    std::string start;
    std::array<char, 256> part{};
    while (start.size() < kStatusEnd) {
      const TlsResult got = tls_ == nullptr ? Receive(part.data(), part.size())
                                            : tls_->Read(part.data(), part.size());
      if (got.state == TlsState::kDone) {
        start.append(part.data(), got.count);
      } else if (!Awaits(got.state)) {
        break;
      }
    }
    return start;
  }

 private:
  // True when it is worth while to try again.
  bool Awaits(TlsState state) const {
    if (state == TlsState::kWantsRead) return Await(fd_, POLLIN, deadline_);
    return state == TlsState::kWantsWrite && Await(fd_, POLLOUT, deadline_);
  }
  TlsResult Send(std::string_view bytes) const {
    return ResultOf(send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL), TlsState::kWantsWrite);
  }
  TlsResult Receive(char* data, size_t size) const {
    return ResultOf(recv(fd_, data, size, 0), TlsState::kWantsRead);
  }
  static TlsResult ResultOf(ssize_t count, TlsState later) {
    if (count > 0) return {TlsState::kDone, static_cast<size_t>(count)};
    const bool is_later = count < 0 && (errno == EAGAIN || errno == EINTR);
    return {is_later ? later : TlsState::kClosed, 0};
  }

  const int fd_;
  TlsSession* const tls_;
  const TimePoint deadline_;
};

std::string RequestOf(const HttpUrl& url, std::string_view content_type, std::string_view body) {
  const bool is_v6 = url.host.find(':') != std::string::npos;
  std::string message = "POST " + url.path + " HTTP/1.1\r\nHost: ";
  message += (is_v6 ? "[" + url.host + "]" : url.host) + ":" + url.port + "\r\nContent-Type: ";
  message += content_type;
  message += "\r\nContent-Length: " + std::to_string(body.size()) +
             "\r\nConnection: close\r\nUser-Agent: pytriton\r\n\r\n";
  message += body;
  return message;
}

std::string WhyTlsFailed(const TlsSession& session) {
  return session.failure().empty() ? "TLS was not set up in time"
                                   : "TLS failed: " + session.failure();
}

}  // namespace

Result<HttpUrl> HttpUrl::Parse(std::string_view text) {
  const auto refuse = [text] {
    return InvalidArgument(
        "expected a URL like http://HOST:PORT/PATH or https://HOST:PORT/PATH, got '" +
        std::string(text) + "'");
  };
  HttpUrl url;
  url.is_secure = text.starts_with(kSecureScheme);
  if ((!url.is_secure && !text.starts_with(kScheme)) || !IsText(text)) return refuse();
  std::string_view rest = text.substr((url.is_secure ? kSecureScheme : kScheme).size());
  const size_t slash = std::min(rest.find('/'), rest.size());
  url.path = slash < rest.size() ? std::string(rest.substr(slash)) : "/";
  const std::string_view authority = rest.substr(0, slash);
  const bool is_bracketed = authority.starts_with('[');
  const size_t host_end = std::min(authority.find(is_bracketed ? ']' : ':'), authority.size());
  if (is_bracketed && host_end == authority.size()) return refuse();
  const size_t host_start = is_bracketed ? 1 : 0;
  url.host = authority.substr(host_start, host_end - host_start);
  const size_t colon = authority.find(':', host_end);
  const std::string_view usual = url.is_secure ? "443" : "80";
  url.port = colon == std::string_view::npos ? usual : authority.substr(colon + 1);
  int port = 0;
  const auto [end, error] =
      std::from_chars(url.port.data(), url.port.data() + url.port.size(), port);
  const bool is_port =
      error == std::errc() && end == url.port.data() + url.port.size() && port > 0 && port < 65536;
  if (url.host.empty() || !is_port || url.host.find('@') != std::string::npos) return refuse();
  return url;
}

Result<int> HttpPost(const HttpUrl& url, std::string_view content_type, std::string_view body,
                     TimePoint deadline, const TlsContext* tls) {
  const UniqueFd socket = Connect(url, deadline);
  if (!socket.is_open()) return NoAnswer(url, "could not connect");
  std::unique_ptr<TlsSession> session;
  if (tls != nullptr) {
    session = tls->NewSession(socket.get(), url.host);
    if (session == nullptr) return NoAnswer(url, "had no memory for TLS");
  }
  Exchange exchange(socket.get(), session.get(), deadline);
  if (session != nullptr && !exchange.Shake()) return NoAnswer(url, WhyTlsFailed(*session));
  if (!exchange.SendAll(RequestOf(url, content_type, body))) return NoAnswer(url, "could not send");
  const std::string start = exchange.ReadStart();
  int status = 0;
  if (start.size() >= kStatusEnd && start.starts_with("HTTP/1.")) {
    std::from_chars(start.data() + kStatusAt, start.data() + kStatusEnd, status);
  }
  if (session != nullptr) session->Shutdown();
  if (status < 100) return NoAnswer(url, "got none");
  return status;
}

}  // namespace pt::net
