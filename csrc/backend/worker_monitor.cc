#include "backend/worker_monitor.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace pt::backend {

Result<std::unique_ptr<WorkerMonitor>> WorkerMonitor::Create() {
  const int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  const int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = wake_fd;
  if (epoll_fd >= 0 && wake_fd >= 0 && epoll_ctl(epoll_fd, EPOLL_CTL_ADD, wake_fd, &event) == 0) {
    return std::unique_ptr<WorkerMonitor>(new WorkerMonitor(epoll_fd, wake_fd));
  }
  const std::string reason = std::strerror(errno);
  if (epoll_fd >= 0) close(epoll_fd);
  if (wake_fd >= 0) close(wake_fd);
  return Unavailable("expected to watch worker processes, got: " + reason);
}

WorkerMonitor::WorkerMonitor(int epoll_fd, int wake_fd) : epoll_fd_(epoll_fd), wake_fd_(wake_fd) {
  thread_ = std::thread([this] { Run(); });
}

WorkerMonitor::~WorkerMonitor() {
  is_stopping_.store(true, std::memory_order_release);
  Post([] {});
  thread_.join();
  close(wake_fd_);
  close(epoll_fd_);
}

void WorkerMonitor::Post(Task task) {
  {
    MutexLock lock(&mu_);
    posted_.push_back(std::move(task));
  }
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wake_fd_, &one, sizeof one);
}

void WorkerMonitor::PostAt(TimePoint when, Task task) {
  {
    MutexLock lock(&mu_);
    timed_.emplace(when, std::move(task));
  }
  Post([] {});  // the wait may have to be shorter
}

void WorkerMonitor::RunAndWait(FunctionRef<void()> task) {
  struct Ended {
    Mutex mu;
    CondVar changed;
    bool is_true GUARDED_BY(mu) = false;
  } ended;
  Post([&] {
    task();
    MutexLock lock(&ended.mu);
    ended.is_true = true;
    ended.changed.NotifyAll();
  });
  MutexLock lock(&ended.mu);
  while (!ended.is_true) ended.changed.Wait(&ended.mu);
}

void WorkerMonitor::Watch(int fd, Task on_readable) {
  watched_[fd] = std::make_shared<Task>(std::move(on_readable));
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event);
}

void WorkerMonitor::Unwatch(int fd) {
  if (watched_.erase(fd) > 0) epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr);
}

int WorkerMonitor::RunPosted() {
  std::vector<Task> tasks;
  int wait_ms = -1;
  {
    MutexLock lock(&mu_);
    tasks.swap(posted_);
    const TimePoint now = std::chrono::steady_clock::now();
    while (!timed_.empty() && timed_.begin()->first <= now) {
      tasks.push_back(std::move(timed_.begin()->second));
      timed_.erase(timed_.begin());
    }
    if (!timed_.empty()) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(timed_.begin()->first - now);
      wait_ms = static_cast<int>(std::min<int64_t>(left.count(), 60000));
    }
  }
  for (Task& task : tasks) task();
  return wait_ms;
}

void WorkerMonitor::Dispatch(int fd) {
  if (fd == wake_fd_) {
    uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = read(wake_fd_, &count, sizeof count);
    return;
  }
  const auto it = watched_.find(fd);
  if (it == watched_.end()) return;  // unwatched by one before it
  const std::shared_ptr<Task> task = it->second;
  (*task)();
}

void WorkerMonitor::Run() {
  pthread_setname_np(pthread_self(), "pt-workers");
  epoll_event events[32];
  while (!is_stopping_.load(std::memory_order_acquire)) {
    const int wait_ms = RunPosted();
    const int count = epoll_wait(epoll_fd_, events, 32, wait_ms);
    for (int i = 0; i < count; ++i) Dispatch(events[i].data.fd);
  }
}

}  // namespace pt::backend
