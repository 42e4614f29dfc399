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

DirWatch::~DirWatch() {
  if (changes_ >= 0) close(changes_);
  if (wakes_ >= 0) close(wakes_);
}

bool DirWatch::Watch(const std::string& path) {
  return changes_ >= 0 && inotify_add_watch(changes_, path.c_str(), kChanges) >= 0;
}

void DirWatch::Wait(TimePoint deadline) {
  pollfd fds[] = {{wakes_, POLLIN, 0}, {changes_, POLLIN, 0}};  // poll skips a descriptor of -1
  poll(fds, 2, MillisecondsUntil(deadline));
  Drain(wakes_);
  if (changes_ >= 0) Drain(changes_);
}

void DirWatch::Wake() { eventfd_write(wakes_, 1); }

}  // namespace pt::repo
