// Listener: a listening TCP or Unix socket that hands out accepted, non-blocking descriptors.
//
// Out of descriptors it backs off: a reserve descriptor is given up to accept and close the caller,
// so that it sees a closed connection and the loop does not spin.
//
// Thread rule: Open from any thread; the rest from the driver of the loop it is started on.
// Owner rule: owns its descriptor and, for a Unix socket, the file, which it removes when closed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/status.h"
#include "net/loop.h"

namespace pt::net {

struct ListenOptions {
  std::string address;      // IPv4, IPv6 or a host name; empty with unix_path
  int port = 0;             // 0: one that is free
  std::string unix_path;    // not empty: a Unix socket
  bool reuse_port = false;  // SO_REUSEPORT: several server processes share the port
  int backlog = 1024;
};

class Listener final : private EventHandler {
 public:
  // Binds and listens. Errors: Unavailable "Socket 'A:P' already in use " when somebody has it;
  // InvalidArgument when the address can't be resolved or bound here.
  static Result<std::unique_ptr<Listener>> Open(const ListenOptions& options);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  int port() const { return port_; }                 // 0 for a Unix socket
  const std::string& name() const { return name_; }  // "0.0.0.0:8000", or the path

  // Calls `accepted` with each new descriptor (non-blocking, close-on-exec, owned by the callee).
  Status Start(Loop* loop, std::function<void(int fd)> accepted);
  // Stops accepting and closes the socket; callers that wait in the backlog are refused.
  // Idempotent.
  void Close();

 private:
  Listener(int fd, int port, std::string name, std::string unix_path);
  void OnEvents(uint32_t epoll_events) override;
  void ShedOne();

  int fd_;
  int reserve_fd_;
  const int port_;
  const std::string name_;
  const std::string unix_path_;
  Loop* loop_ = nullptr;
  uint64_t back_off_timer_ = 0;
  std::function<void(int)> accepted_;
};

}  // namespace pt::net
