// Poller: epoll over sessions, with a wake-up time. One thread.
#pragma once

#include <sys/epoll.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/function_ref.h"
#include "load/session.h"

namespace pt::load {

class Poller {
 public:
  Poller();
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  // Watches for reading; borrowed until the session is destroyed, which ends it.
  void Add(Session& session);
  // Watches for writing too exactly while the session wants it.
  void UpdateWrite(Session& session);
  // Waits until a session is ready or the clock says `wake_ns`; calls on_ready for each.
  void Wait(int64_t wake_ns, FunctionRef<void(Session&)> on_ready);

 private:
  int fd_;
  std::vector<epoll_event> events_;
};

}  // namespace pt::load
