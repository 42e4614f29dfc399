#include "load/poller.h"

#include <unistd.h>

#include <algorithm>
#include <ctime>

#include "load/clock.h"

namespace pt::load {
namespace {
constexpr size_t kEvents = 1024;
}  // namespace

Poller::Poller() : fd_(epoll_create1(EPOLL_CLOEXEC)), events_(kEvents) {}

Poller::~Poller() { close(fd_); }

void Poller::Add(Session& session) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = &session;
  epoll_ctl(fd_, EPOLL_CTL_ADD, session.fd(), &event);
}

void Poller::UpdateWrite(Session& session) {
  bool is_wanted = session.wants_write() && !session.is_broken();
  if (is_wanted == session.is_polled_for_write) return;
  session.is_polled_for_write = is_wanted;
  epoll_event event{};
  event.events = is_wanted ? EPOLLIN | EPOLLOUT : EPOLLIN;
  event.data.ptr = &session;
  epoll_ctl(fd_, EPOLL_CTL_MOD, session.fd(), &event);
}

void Poller::Wait(int64_t wake_ns, FunctionRef<void(Session&)> on_ready) {
  int64_t left = std::max<int64_t>(wake_ns - NowNs(), 0);
  timespec timeout{static_cast<time_t>(left / 1'000'000'000), left % 1'000'000'000};
  int count =
      epoll_pwait2(fd_, events_.data(), static_cast<int>(events_.size()), &timeout, nullptr);
  for (int i = 0; i < count; ++i) on_ready(*static_cast<Session*>(events_[i].data.ptr));
}

}  // namespace pt::load
