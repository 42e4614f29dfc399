// RawClient: a blocking socket for tests: sends bytes as they are, reads answers by their framing.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace pt::server {

class RawClient {
 public:
  explicit RawClient(int port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    SetTimeout();
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    is_connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  }
  explicit RawClient(const std::string& path)
      : fd_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    SetTimeout();
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    is_connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  }
  ~RawClient() { Close(); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  bool is_connected() const { return is_connected_; }
  void Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
  }
  void FinishSending() { shutdown(fd_, SHUT_WR); }
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }
  // Sends a reset instead of FIN.
  void Reset() {
    const linger hard{1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    Close();
  }

  // One response with its head; "" when the server closed first. Interim responses are skipped.
  std::string ReadResponse(bool has_body = true) {
    while (true) {
      const std::string head = TakeHead();
      if (head.empty()) return "";
      if (head.compare(9, 3, "100") == 0) {
        ++interim_;
        continue;
      }
      const size_t at = head.find("Content-Length: ");
      const size_t length = at == std::string::npos ? 0 : std::strtoul(&head[at + 16], nullptr, 10);
      return head + (has_body ? TakeBytes(length) : "");
    }
  }
  std::string ReadAll() {
    while (Fill()) {
    }
    return std::exchange(buffer_, {});
  }
  // True when the server has closed and nothing was left to read.
  bool IsAtEnd() { return buffer_.empty() && !Fill(); }
  std::string TakeBytes(size_t count) {
    while (buffer_.size() < count && Fill()) {
    }
    const std::string taken = buffer_.substr(0, count);
    buffer_.erase(0, taken.size());
    return taken;
  }
  int interim() const { return interim_; }

 private:
  // A server that answers nothing fails the test instead of hanging it.
  void SetTimeout() {
    const timeval limit{20, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  }
  std::string TakeHead() {
    size_t end;
    while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
      if (!Fill()) return "";
    }
    return TakeBytes(end + 4);
  }
  bool Fill() {
    char bytes[16384];
    const ssize_t got = recv(fd_, bytes, sizeof(bytes), 0);
    if (got <= 0) return false;
    buffer_.append(bytes, static_cast<size_t>(got));
    return true;
  }

  int fd_;
  bool is_connected_ = false;
  std::string buffer_;
  int interim_ = 0;
};

}  // namespace pt::server
