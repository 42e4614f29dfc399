#include "net/listener.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

namespace pt::net {
namespace {

// Callers taken from one event; the other connections of the loop get their turn between.
constexpr int kAcceptsPerEvent = 64;
constexpr Duration kBackOff = std::chrono::milliseconds(50);

std::string ErrorText() { return std::strerror(errno); }

Status Busy(const std::string& name) {
  return Unavailable("Socket '" + name + "' already in use ");
}

struct AddressList {
  addrinfo* first = nullptr;
  ~AddressList() {
    if (first != nullptr) freeaddrinfo(first);
  }
};

Status Resolve(const ListenOptions& options, AddressList* list) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  const std::string port = std::to_string(options.port);
  // "[::1]" as people write it beside a port.
  std::string host = options.address;
  if (host.size() > 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  const int error =
      getaddrinfo(host.empty() ? nullptr : host.c_str(), port.c_str(), &hints, &list->first);
  if (error == 0) return {};
  return InvalidArgument("expected an address of this machine to listen on, got '" +
                         options.address + "': " + gai_strerror(error));
}

int PortOf(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  if (address.ss_family == AF_INET) {
    return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
  }
  if (address.ss_family == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
  }
  return 0;
}

// A bound, listening descriptor, or -1 with errno.
int BindTcp(const addrinfo& address, const ListenOptions& options) {
  const int fd = socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const int on = 1;
  // Not for sharing: connections in TIME_WAIT must not keep a restart from the port.
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (options.reuse_port) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
  if (bind(fd, address.ai_addr, address.ai_addrlen) == 0 && listen(fd, options.backlog) == 0)
    return fd;
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

Result<int> OpenTcp(const ListenOptions& options) {
  AddressList list;
  PT_RETURN_IF_ERROR(Resolve(options, &list));
  int error = 0;
  for (const addrinfo* address = list.first; address != nullptr; address = address->ai_next) {
    const int fd = BindTcp(*address, options);
    if (fd >= 0) return fd;
    error = errno;
    if (error == EADDRINUSE) break;  // a name's other address would hide that the port is taken
  }
  const std::string name = options.address + ":" + std::to_string(options.port);
  if (error == EADDRINUSE) return Busy(name);
  return InvalidArgument("expected to listen on '" + name + "', got: " + std::strerror(error));
}

Result<sockaddr_un> UnixAddress(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return InvalidArgument("expected a socket path of at most " +
                           std::to_string(sizeof(address.sun_path) - 1) + " bytes, got '" + path +
                           "'");
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

// A file that a server which is gone left behind is in the way of bind; one that somebody listens
// on, or that is no socket, stays.
Status RemoveStale(const std::string& path, const sockaddr_un& address) {
  struct stat info{};
  if (lstat(path.c_str(), &info) != 0) return {};
  if (!S_ISSOCK(info.st_mode)) {
    return InvalidArgument("expected a free path for the socket, got a file that is no socket: '" +
                           path + "'");
  }
  const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (probe < 0) return Unavailable("expected a socket, got: " + ErrorText());
  const int result = connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  const bool is_dead = result != 0 && errno == ECONNREFUSED;
  close(probe);
  if (!is_dead) return Busy(path);
  unlink(path.c_str());
  return {};
}

Result<int> OpenUnix(const ListenOptions& options) {
  const std::string& path = options.unix_path;
  PT_ASSIGN_OR_RETURN(const sockaddr_un address, UnixAddress(path));
  PT_RETURN_IF_ERROR(RemoveStale(path, address));
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return Unavailable("expected a socket, got: " + ErrorText());
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 &&
      listen(fd, options.backlog) == 0) {
    return fd;
  }
  const int error = errno;
  close(fd);
  if (error == EADDRINUSE) return Busy(path);
  return InvalidArgument("expected to listen on '" + path + "', got: " + std::strerror(error));
}

bool IsLoopback(const sockaddr_storage& peer) {
  if (peer.ss_family == AF_INET) {
    return (ntohl(reinterpret_cast<const sockaddr_in&>(peer).sin_addr.s_addr) >> 24) == 127;
  }
  if (peer.ss_family != AF_INET6) return false;
  const in6_addr& address = reinterpret_cast<const sockaddr_in6&>(peer).sin6_addr;
  if (IN6_IS_ADDR_LOOPBACK(&address)) return true;
  return IN6_IS_ADDR_V4MAPPED(&address) && address.s6_addr[12] == 127;
}

void Tune(int fd, const sockaddr_storage& peer) {
  if (peer.ss_family != AF_INET && peer.ss_family != AF_INET6) return;
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (!IsLoopback(peer)) return;
  // BBR paces by measured bandwidth, which on loopback costs a fifth of the throughput of big
  // bodies.
  std::array<char, 16> name{};
  socklen_t size = name.size();
  constexpr std::string_view kCubic = "cubic";
  if (getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name.data(), &size) == 0 &&
      std::string_view(name.data()) == "bbr") {
    setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, kCubic.data(), kCubic.size());
  }
}

int OpenReserve() { return open("/dev/null", O_RDONLY | O_CLOEXEC); }

}  // namespace

Result<std::unique_ptr<Listener>> Listener::Open(const ListenOptions& options) {
  if (!options.unix_path.empty()) {
    PT_ASSIGN_OR_RETURN(const int fd, OpenUnix(options));
    return std::unique_ptr<Listener>(new Listener(fd, 0, options.unix_path, options.unix_path));
  }
  PT_ASSIGN_OR_RETURN(const int fd, OpenTcp(options));
  const int port = PortOf(fd);
  std::string name = options.address + ":" + std::to_string(port);
  return std::unique_ptr<Listener>(new Listener(fd, port, std::move(name), ""));
}

Listener::Listener(int fd, int port, std::string name, std::string unix_path)
    : fd_(fd),
      reserve_fd_(OpenReserve()),
      port_(port),
      name_(std::move(name)),
      unix_path_(std::move(unix_path)) {}

Listener::~Listener() { Close(); }

Status Listener::Start(Loop* loop, std::function<void(int)> accepted) {
  PT_RETURN_IF_ERROR(loop->Watch(fd_, EPOLLIN, this));
  loop_ = loop;
  accepted_ = std::move(accepted);
  return {};
}

void Listener::Close() {
  if (fd_ < 0) return;
  if (loop_ != nullptr) {
    loop_->Unwatch(fd_, this);
    if (back_off_timer_ != 0) loop_->StopTimer(back_off_timer_);
  }
  close(fd_);
  fd_ = -1;
  if (reserve_fd_ >= 0) close(reserve_fd_);
  reserve_fd_ = -1;
  if (!unix_path_.empty()) unlink(unix_path_.c_str());
}

void Listener::OnEvents(uint32_t) {
  for (int i = 0; i < kAcceptsPerEvent && fd_ >= 0; ++i) {
    sockaddr_storage peer{};
    socklen_t size = sizeof(peer);
    const int fd =
        accept4(fd_, reinterpret_cast<sockaddr*>(&peer), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      Tune(fd, peer);
      accepted_(fd);
      continue;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      ShedOne();
      return;
    }
    // A caller that has left already (ECONNABORTED and the network errors of accept(2)) is no
    // reason to stop; EAGAIN is.
    if (errno == EAGAIN || errno == EWOULDBLOCK) return;
  }
}

void Listener::ShedOne() {
  if (reserve_fd_ >= 0) {
    close(reserve_fd_);
    const int fd = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd >= 0) close(fd);
    reserve_fd_ = OpenReserve();
    if (reserve_fd_ >= 0) return;
  }
  // Not even the reserve came back: look again later instead of spinning on the readable socket.
  loop_->Rewatch(fd_, 0, this);
  if (back_off_timer_ != 0) return;
  back_off_timer_ = loop_->StartTimer(kBackOff, [this] {
    back_off_timer_ = 0;
    if (reserve_fd_ < 0) reserve_fd_ = OpenReserve();
    if (fd_ >= 0) loop_->Rewatch(fd_, EPOLLIN, this);
  });
}

}  // namespace pt::net
