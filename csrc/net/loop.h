// Loop: epoll, posted tasks, timers and the list of outputs to flush. A passive object: whoever
// drives it calls RunRound again and again; it owns no thread and knows nothing of roles.
//
// One round: run what was posted, flush every dirty output once, wait, dispatch the events, call
// the round-end hook. Level-triggered: a handler that reads once an event misses nothing.
//
// Thread rule: Post and Wake from any thread; everything else from the thread that drives now.
// Owner rule: owned by server::LoopContext; handlers, outputs and timers must leave before it goes.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/mailbox.h"
#include "base/status.h"
#include "net/busy_poll.h"

namespace pt::net {

// Something posted to a loop. Exactly one of Run and Drop is called, once; both end the loop's
// claim on the object (a counted object takes a reference before it posts itself and drops it
// there).
class LoopTask {
 public:
  virtual void RunOnLoop() = 0;  // on the driver
  virtual void DropUnrun() = 0;  // the loop is closed; any thread

 protected:
  ~LoopTask() = default;
};

class EventHandler {
 public:
  virtual void OnEvents(uint32_t epoll_events) = 0;

 protected:
  ~EventHandler() = default;
};

// Has bytes to write; flushed once before the next wait. FlushNow must leave nothing for the
// round-end hook: the loop may sleep before it runs.
class Flushable {
 public:
  virtual void FlushNow() = 0;

 protected:
  ~Flushable() = default;

 private:
  friend class Loop;
  bool is_dirty_ = false;
};

// kAwake: like kYes, but while events come one soon after the other the CPU is kept for a moment.
enum class Wait { kNo, kYes, kAwake };

class Loop {
 public:
  // Errors: Unavailable when the process is out of file descriptors.
  static Result<std::unique_ptr<Loop>> Create();
  ~Loop();  // drops what was posted and not run
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Any thread: runs `task` in a later part of this round or in the next one. After Close: drops
  // it.
  void Post(LoopTask* task);
  void PostFunction(std::function<void()> function);
  // Any thread: ends the driver's wait, or the next one if it does not wait now.
  void Wake();

  // Time at the end of the last wait (or the last UpdateNow).
  TimePoint now() const { return now_; }
  void UpdateNow();

  // Calls handler->OnEvents when one of `events` (EPOLLIN ...), EPOLLERR or EPOLLHUP holds.
  Status Watch(int fd, uint32_t events, EventHandler* handler);
  void Rewatch(int fd, uint32_t events, EventHandler* handler);
  // After it returns the handler gets no event any more, not even one of this round.
  void Unwatch(int fd, EventHandler* handler);

  // Has `output` flushed before the next wait. Cheap when it is dirty already.
  void FlushLater(Flushable* output) {
    if (output->is_dirty_) return;
    output->is_dirty_ = true;
    dirty_.push_back(output);
  }
  // REQUIRES: called before a dirty output is destroyed.
  void ForgetFlush(Flushable* output);

  // Calls `callback` once after `delay`. Returns a ticket, never 0.
  uint64_t StartTimer(Duration delay, std::function<void()> callback);
  void StopTimer(uint64_t ticket);

  // Destroys the object after this round's events were dispatched: for a handler that ends itself.
  void DestroyLater(std::function<void()> destroy) { graveyard_.push_back(std::move(destroy)); }

  // Called at the end of each round's dispatch. Set once, before the first round.
  void set_round_end(std::function<void()> hook) { round_end_ = std::move(hook); }

  // One round. kNo: polls only. `now` is fresh afterwards.
  void RunRound(Wait wait);
  // Refuses posts from now on (they are dropped) and runs what is there. REQUIRES: no round
  // follows.
  void Close();

 private:
  struct TaskDrop {
    void operator()(LoopTask* task) const { task->DropUnrun(); }
  };
  using TaskPtr = std::unique_ptr<LoopTask, TaskDrop>;
  struct Timer {
    TimePoint when;
    uint64_t ticket;
    std::function<void()> callback;
  };

  Loop(int epoll_fd, int wake_fd);
  void RunPosted();
  void FlushDirty();
  int WaitForEvents(Wait wait);
  int TakeEvents(int timeout_ms);
  int AwaitAwake(int timeout_ms);
  int PollBusily(TimePoint begin);
  int WaitMillis() const;
  void DrainWakeups();
  void Dispatch(int count);
  void RunTimers();
  void BuryDead();

  const int epoll_fd_;
  const int wake_fd_;
  const unsigned cpus_;
  Mailbox<TaskPtr> mailbox_;
  BusyPoll busy_poll_;
  std::atomic<bool> is_closed_{false};
  TimePoint now_;
  std::vector<TaskPtr> posted_;
  std::vector<Flushable*> dirty_;
  std::vector<Flushable*> flushing_;
  std::vector<Timer> timers_;  // a heap, earliest first
  uint64_t next_ticket_ = 1;
  std::vector<std::function<void()>> graveyard_;
  std::function<void()> round_end_;
  struct Events;
  std::unique_ptr<Events> events_;
};

}  // namespace pt::net
