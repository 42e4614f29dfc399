#include "load/socket.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

namespace pt::load {
namespace {

// Small requests leave at once. Cubic is what Linux has by default: BBR, which some machines have,
// paces large requests by what it believes of the path, and would be measured instead of servers.
// A system without it keeps its own.
void TuneTcp(int fd) {
  constexpr char kCubic[] = "cubic";
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, kCubic, sizeof kCubic - 1);
}

Status Unreached(const std::string& address, int error) {
  return Unavailable("connect to " + address + ": " + std::strerror(error));
}

}  // namespace

Socket::~Socket() {
  if (fd_ >= 0) close(fd_);
}

void Socket::AwaitBytes(size_t count) {
  constexpr size_t kMost = 256 << 10;
  count = std::clamp<size_t>(count, 1, kMost);
  if (count == awaited_) return;
  awaited_ = count;
  int mark = static_cast<int>(count);
  setsockopt(fd_, SOL_SOCKET, SO_RCVLOWAT, &mark, sizeof mark);
}

void Socket::ResetOnClose() {
  linger hard{1, 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
}

Result<Socket> Socket::Connect(const std::string& address) {
  if (address.rfind("unix:", 0) == 0) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::string path = address.substr(5);
    if (path.empty() || path.size() >= sizeof name.sun_path) {
      return InvalidArgument("expected unix:PATH of 1 to 107 bytes, got '" + address + "'");
    }
    std::memcpy(name.sun_path, path.data(), path.size());
    Socket made(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (connect(made.fd_, reinterpret_cast<sockaddr*>(&name), sizeof name) != 0) {
      return Unreached(address, errno);
    }
    fcntl(made.fd_, F_SETFL, O_NONBLOCK);
    return made;
  }
  size_t colon = address.rfind(':');
  if (colon == std::string::npos || colon == 0) {
    return InvalidArgument("expected HOST:PORT or unix:PATH, got '" + address + "'");
  }
  std::string host = address.substr(0, colon);
  if (host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  int error = getaddrinfo(host.c_str(), address.c_str() + colon + 1, &hints, &found);
  if (error != 0) return InvalidArgument("address " + address + ": " + gai_strerror(error));
  std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);
  for (addrinfo* one = found; one != nullptr; one = one->ai_next) {
    Socket made(socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (made.fd_ >= 0 && connect(made.fd_, one->ai_addr, one->ai_addrlen) == 0) {
      TuneTcp(made.fd_);
      fcntl(made.fd_, F_SETFL, O_NONBLOCK);
      return made;
    }
    error = errno;
  }
  return Unreached(address, error);
}

}  // namespace pt::load
