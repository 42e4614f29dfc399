// Http2Client: an Http2Peer on a blocking socket.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <string_view>
#include <thread>

#include "wire/http2_peer.h"

namespace pt::server {

class Http2Client {
 public:
  explicit Http2Client(int port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    // A server that answers nothing fails the test instead of hanging it.
    const timeval limit{20, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    is_open_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  }
  ~Http2Client() { Close(); }
  Http2Client(const Http2Client&) = delete;
  Http2Client& operator=(const Http2Client&) = delete;

  Http2Peer& peer() { return peer_; }
  Http2Peer::Answer& answer(int32_t id) { return peer_.answer(id); }

  // Sends what the peer has to send.
  void Flush() { SendBytes(peer_.Output()); }
  // The same; the last `tail` bytes are given back instead of sent.
  std::string FlushAllBut(size_t tail) {
    const std::string out = peer_.Output();
    SendBytes(std::string_view(out).substr(0, out.size() - tail));
    return out.substr(out.size() - tail);
  }
  // The same in two parts, of which the last one has `tail` bytes; others may run between.
  void FlushInParts(size_t tail) {
    const std::string rest = FlushAllBut(tail);
    std::this_thread::yield();
    SendBytes(rest);
  }
  void SendBytes(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) break;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
  }
  // How many bytes the server, which is in this process, waits for (SO_RCVLOWAT); 0: it isn't here.
  int ServerAwaits() const {
    for (int fd = 0; fd < 1024; ++fd) {
      sockaddr_in peer{};
      sockaddr_in self{};
      socklen_t size = sizeof(peer);
      socklen_t self_size = sizeof(self);
      int mark = 0;
      socklen_t mark_size = sizeof(mark);
      if (fd != fd_ && getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0 &&
          getsockname(fd_, reinterpret_cast<sockaddr*>(&self), &self_size) == 0 &&
          peer.sin_family == AF_INET && peer.sin_port == self.sin_port &&
          getsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &mark, &mark_size) == 0) {
        return mark;
      }
    }
    return 0;
  }
  // Exchanges bytes until `is_done()`; false when the server closed, or was silent for long,
  // before.
  template <typename Done>
  bool RunUntil(const Done& is_done) {
    for (;;) {
      Flush();
      if (is_done()) return true;
      char bytes[65536];
      const ssize_t got = recv(fd_, bytes, sizeof(bytes), 0);
      if (got <= 0) return false;
      if (!peer_.Input({bytes, static_cast<size_t>(got)})) return false;
    }
  }
  // Waits for the end of the answer.
  Http2Peer::Answer& Await(int32_t id) {
    RunUntil([this, id] { return peer_.answer(id).is_closed; });
    return peer_.answer(id);
  }
  // Waits for the server's limits: before, no more than 100 streams are opened.
  bool AwaitSettings() {
    return RunUntil([this] {
      return nghttp2_session_get_remote_settings(peer_.session(),
                                                 NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS) > 100;
    });
  }
  // True when the server closes the connection.
  bool AwaitClose() {
    return !RunUntil([] { return false; }) && errno != EAGAIN;
  }
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
  bool is_open_ = false;
  Http2Peer peer_;
};

}  // namespace pt::server
