#include "repo/dir_watch.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <climits>

namespace pt::repo {
namespace {

constexpr uint32_t kChanges = IN_CREATE | IN_DELETE | IN_MODIFY | IN_MOVED_FROM | IN_MOVED_TO |
                              IN_ATTRIB | IN_CLOSE_WRITE | IN_DELETE_SELF | IN_MOVE_SELF |
                              IN_ONLYDIR;

void Drain(int fd) {
  char buffer[16 * 1024];
  while (read(fd, buffer, sizeof(buffer)) > 0) {
  }
}

int MillisecondsUntil(TimePoint deadline) {
  if (deadline == kNoDeadline) return -1;
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  return static_cast<int>(std::clamp<int64_t>(left.count(), 0, INT_MAX));
}

}  // namespace

DirWatch::DirWatch()
    : changes_(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)),
      wakes_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}

bool DirWatch::Watch(const std::string& path) {
  return changes_.is_open() && inotify_add_watch(changes_.get(), path.c_str(), kChanges) >= 0;
}

void DirWatch::Wait(TimePoint deadline) {
  // poll skips a descriptor of -1.
  pollfd fds[] = {{wakes_.get(), POLLIN, 0}, {changes_.get(), POLLIN, 0}};
  poll(fds, 2, MillisecondsUntil(deadline));
  Drain(wakes_.get());
  if (changes_.is_open()) Drain(changes_.get());
}

void DirWatch::Wake() { eventfd_write(wakes_.get(), 1); }

}  // namespace pt::repo
