#include "net/loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "base/usable_cpus.h"

namespace pt::net {
namespace {

constexpr int kEventsPerRound = 512;
// Outputs that drain while they are flushed may produce more at once; an endless producer must not
// keep the loop from its other connections.
constexpr int kFlushPasses = 4;

class FunctionTask final : public LoopTask {
 public:
  explicit FunctionTask(std::function<void()> function) : function_(std::move(function)) {}
  void RunOnLoop() override {
    function_();
    delete this;
  }
  void DropUnrun() override { delete this; }

 private:
  std::function<void()> function_;
};

// std::push_heap keeps the largest first: the later one is "less".
template <typename T>
bool IsLater(const T& a, const T& b) {
  return a.when > b.when;
}

}  // namespace

struct Loop::Events {
  std::array<epoll_event, kEventsPerRound> list;
  int next = 0;  // the first that was not dispatched yet
  int count = 0;
};

Result<std::unique_ptr<Loop>> Loop::Create() {
  const int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_fd < 0) {
    return Unavailable(std::string("expected an epoll descriptor, got: ") + std::strerror(errno));
  }
  const int wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (wake_fd < 0) {
    const Status status =
        Unavailable(std::string("expected an event descriptor, got: ") + std::strerror(errno));
    close(epoll_fd);
    return status;
  }
  std::unique_ptr<Loop> loop(new Loop(epoll_fd, wake_fd));
  PT_RETURN_IF_ERROR(loop->Watch(wake_fd, EPOLLIN, nullptr));
  return loop;
}

Loop::Loop(int epoll_fd, int wake_fd)
    : epoll_fd_(epoll_fd),
      wake_fd_(wake_fd),
      cpus_(UsableCpus()),
      events_(std::make_unique<Events>()) {
  UpdateNow();
}

Loop::~Loop() {
  close(wake_fd_);
  close(epoll_fd_);
}

void Loop::Post(LoopTask* task) {
  if (is_closed_.load(std::memory_order_acquire)) {
    task->DropUnrun();
    return;
  }
  if (mailbox_.Post(TaskPtr(task))) Wake();
  // Close came between the question and the post: nobody consumes any more, so the poster may. (If
  // it came later, Close itself finds the task: the mailbox's lock orders the two.)
  if (is_closed_.load(std::memory_order_acquire)) {
    std::vector<TaskPtr> dropped;
    mailbox_.TakeAll(&dropped);
  }
}

void Loop::PostFunction(std::function<void()> function) {
  Post(new FunctionTask(std::move(function)));
}

void Loop::Wake() {
  const uint64_t one = 1;
  // Fails only when the counter is full, and then the loop is awake anyway.
  [[maybe_unused]] const ssize_t written = write(wake_fd_, &one, sizeof(one));
}

void Loop::UpdateNow() { now_ = std::chrono::steady_clock::now(); }

Status Loop::Watch(int fd, uint32_t events, EventHandler* handler) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = handler;
  if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) == 0) return {};
  return Unavailable(std::string("expected to watch a descriptor, got: ") + std::strerror(errno));
}

void Loop::Rewatch(int fd, uint32_t events, EventHandler* handler) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = handler;
  epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, fd, &event);
}

void Loop::Unwatch(int fd, EventHandler* handler) {
  epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr);
  for (int i = events_->next; i < events_->count; ++i) {
    if (events_->list[i].data.ptr == handler) events_->list[i].events = 0;
  }
}

void Loop::ForgetFlush(Flushable* output) {
  if (!output->is_dirty_) return;
  output->is_dirty_ = false;
  std::erase(dirty_, output);
  std::replace(flushing_.begin(), flushing_.end(), output, static_cast<Flushable*>(nullptr));
}

uint64_t Loop::StartTimer(Duration delay, std::function<void()> callback) {
  const uint64_t ticket = next_ticket_++;
  timers_.push_back({now_ + delay, ticket, std::move(callback)});
  std::push_heap(timers_.begin(), timers_.end(), IsLater<Timer>);
  return ticket;
}

void Loop::StopTimer(uint64_t ticket) {
  const size_t erased =
      std::erase_if(timers_, [ticket](const Timer& timer) { return timer.ticket == ticket; });
  if (erased != 0) std::make_heap(timers_.begin(), timers_.end(), IsLater<Timer>);
}

void Loop::RunRound(Wait wait) {
  FlushDirty();
  const int count = WaitForEvents(wait);
  UpdateNow();
  RunTimers();
  Dispatch(count);
  RunPosted();
  BuryDead();
  // Last: the hook may have offered the driver's role to another thread.
  if (round_end_) round_end_();
}

void Loop::Close() {
  is_closed_.store(true, std::memory_order_release);
  RunPosted();
  BuryDead();
  timers_.clear();
}

void Loop::RunPosted() {
  mailbox_.TakeAll(&posted_);
  for (TaskPtr& task : posted_) task.release()->RunOnLoop();
  posted_.clear();
}

void Loop::FlushDirty() {
  for (int pass = 0; pass < kFlushPasses && !dirty_.empty(); ++pass) {
    flushing_.swap(dirty_);
    for (size_t i = 0; i < flushing_.size(); ++i) {
      Flushable* const output = flushing_[i];
      if (output == nullptr) continue;  // it was forgotten by one before it
      output->is_dirty_ = false;
      flushing_[i] = nullptr;
      output->FlushNow();
    }
    flushing_.clear();
  }
}

int Loop::WaitForEvents(Wait wait) {
  int timeout_ms = 0;
  bool sleeps = false;
  if (wait != Wait::kNo && dirty_.empty() && graveyard_.empty()) {
    timeout_ms = WaitMillis();
    // After BeginSleep a post wakes this wait; before it, the post is seen here.
    sleeps = timeout_ms != 0 && mailbox_.BeginSleep();
    if (!sleeps) timeout_ms = 0;
  }
  if (!sleeps) return TakeEvents(timeout_ms);
  const int count = wait == Wait::kAwake ? AwaitAwake(timeout_ms) : TakeEvents(timeout_ms);
  if (wait == Wait::kYes) busy_poll_.Reset();
  mailbox_.EndSleep();
  return count;
}

int Loop::AwaitAwake(int timeout_ms) {
  const TimePoint begin = std::chrono::steady_clock::now();
  int count = busy_poll_.IsDue() ? PollBusily(begin) : 0;
  if (count == 0) count = TakeEvents(timeout_ms);
  busy_poll_.Ended(std::chrono::steady_clock::now() - begin);
  return count;
}

int Loop::TakeEvents(int timeout_ms) {
  const int count = epoll_wait(epoll_fd_, events_->list.data(), kEventsPerRound, timeout_ms);
  return std::max(count, 0);  // EINTR is a round without events
}

int Loop::PollBusily(TimePoint begin) {
  const BusyPoll::Place place(cpus_);
  int count = 0;
  while (place && count == 0 && std::chrono::steady_clock::now() - begin < BusyPoll::kLongest) {
    count = TakeEvents(0);
  }
  return count;
}

int Loop::WaitMillis() const {
  if (timers_.empty()) return -1;
  const auto now = std::chrono::steady_clock::now();
  if (timers_.front().when <= now) return 0;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(timers_.front().when - now);
  return static_cast<int>(std::min<int64_t>(left.count(), 60000));
}

void Loop::RunTimers() {
  while (!timers_.empty() && timers_.front().when <= now_) {
    std::pop_heap(timers_.begin(), timers_.end(), IsLater<Timer>);
    const auto callback = std::move(timers_.back().callback);
    timers_.pop_back();
    callback();
  }
}

void Loop::DrainWakeups() {
  uint64_t wakeups = 0;
  [[maybe_unused]] const ssize_t got = read(wake_fd_, &wakeups, sizeof(wakeups));
}

void Loop::Dispatch(int count) {
  events_->count = count;
  for (int i = 0; i < count; ++i) {
    events_->next = i + 1;
    const epoll_event event = events_->list[i];
    if (event.events == 0) continue;  // unwatched by a handler before it
    if (event.data.ptr == nullptr) {
      DrainWakeups();
    } else {
      static_cast<EventHandler*>(event.data.ptr)->OnEvents(event.events);
    }
  }
  events_->count = 0;
}

void Loop::BuryDead() {
  // Burying one may kill another (a connection's last call, a call's connection).
  while (!graveyard_.empty()) {
    std::vector<std::function<void()>> dead;
    dead.swap(graveyard_);
    for (const auto& destroy : dead) destroy();
  }
}

}  // namespace pt::net
