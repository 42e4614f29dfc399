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
#include <utility>

#include "base/unique_fd.h"

namespace pt::net {
namespace {

constexpr std::string_view kScheme = "http://";
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

bool SendAll(int fd, std::string_view bytes, TimePoint deadline) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<size_t>(sent));
    } else if (sent < 0 && errno == EAGAIN) {
      if (!Await(fd, POLLOUT, deadline)) return false;
    } else if (sent == 0 || errno != EINTR) {
      return false;
    }
  }
  return true;
}

// The beginning of the answer; shorter when there was no more.
std::string ReadStart(int fd, TimePoint deadline) {
  std::string start;
  std::array<char, 256> part{};
  while (start.size() < kStatusEnd) {
    const ssize_t got = recv(fd, part.data(), part.size(), 0);
    if (got > 0) {
      start.append(part.data(), static_cast<size_t>(got));
      continue;
    }
    const bool is_open = got < 0 && (errno == EAGAIN || errno == EINTR);
    if (!is_open || !Await(fd, POLLIN, deadline)) break;
  }
  return start;
}

}  // namespace

Result<HttpUrl> HttpUrl::Parse(std::string_view text) {
  const auto refuse = [text] {
    return InvalidArgument("expected a URL like http://HOST:PORT/PATH, got '" + std::string(text) +
                           "'");
  };
  if (!text.starts_with(kScheme) || !IsText(text)) return refuse();
  std::string_view rest = text.substr(kScheme.size());
  const size_t slash = std::min(rest.find('/'), rest.size());
  HttpUrl url;
  url.path = slash < rest.size() ? std::string(rest.substr(slash)) : "/";
  const std::string_view authority = rest.substr(0, slash);
  const bool is_bracketed = authority.starts_with('[');
  const size_t host_end = std::min(authority.find(is_bracketed ? ']' : ':'), authority.size());
  if (is_bracketed && host_end == authority.size()) return refuse();
  const size_t host_start = is_bracketed ? 1 : 0;
  url.host = authority.substr(host_start, host_end - host_start);
  const size_t colon = authority.find(':', host_end);
  url.port = colon == std::string_view::npos ? "80" : std::string(authority.substr(colon + 1));
  int port = 0;
  const auto [end, error] =
      std::from_chars(url.port.data(), url.port.data() + url.port.size(), port);
  const bool is_port =
      error == std::errc() && end == url.port.data() + url.port.size() && port > 0 && port < 65536;
  if (url.host.empty() || !is_port || url.host.find('@') != std::string::npos) return refuse();
  return url;
}

Result<int> HttpPost(const HttpUrl& url, std::string_view content_type, std::string_view body,
                     TimePoint deadline) {
  const UniqueFd socket = Connect(url, deadline);
  if (!socket.is_open()) return NoAnswer(url, "could not connect");
  const bool is_v6 = url.host.find(':') != std::string::npos;
  std::string message = "POST " + url.path + " HTTP/1.1\r\nHost: ";
  message += (is_v6 ? "[" + url.host + "]" : url.host) + ":" + url.port + "\r\nContent-Type: ";
  message += content_type;
  message += "\r\nContent-Length: " + std::to_string(body.size()) +
             "\r\nConnection: close\r\nUser-Agent: pytriton\r\n\r\n";
  message += body;
  if (!SendAll(socket.get(), message, deadline)) return NoAnswer(url, "could not send");
  const std::string start = ReadStart(socket.get(), deadline);
  int status = 0;
  if (start.size() >= kStatusEnd && start.starts_with("HTTP/1.")) {
    std::from_chars(start.data() + kStatusAt, start.data() + kStatusEnd, status);
  }
  if (status < 100) return NoAnswer(url, "got none");
  return status;
}

}  // namespace pt::net
