// Socket: a connected, non-blocking stream socket. Owns the descriptor.
#pragma once

#include <cstddef>
#include <string>
#include <utility>

#include "base/status.h"

namespace pt::load {

class Socket {
 public:
  // Connects to HOST:PORT or unix:PATH and waits until it is connected. TCP gets TCP_NODELAY and
  // cubic.
  // InvalidArgument: not an address; Unavailable: nobody there.
  static Result<Socket> Connect(const std::string& address);

  Socket() = default;
  Socket(Socket&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), awaited_(std::exchange(other.awaited_, 1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(awaited_, other.awaited_);
    return *this;
  }
  ~Socket();

  int fd() const { return fd_; }
  // From now on the socket is readable when so many bytes are there, 256 KB at most: for the rest
  // of a large answer, so that the server doesn't wake this program for each packet.
  void AwaitBytes(size_t count);
  // Makes closing send a reset instead of an orderly end.
  void ResetOnClose();

 private:
  explicit Socket(int fd) : fd_(fd) {}

  int fd_ = -1;
  size_t awaited_ = 1;
};

}  // namespace pt::load
