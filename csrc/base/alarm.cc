#include "base/alarm.h"

#include <pthread.h>

#include <map>
#include <thread>
#include <unordered_map>
#include <utility>

#include "base/mutex.h"

namespace pt {

// Threads: `thread` waits for the earliest time and calls back.
struct Alarm::Impl {
  using Key = std::pair<TimePoint, uint64_t>;  // time, ticket

  Impl() {
    thread = std::thread([this] { Run(); });
    pthread_setname_np(thread.native_handle(), "pt-alarm");
  }

  ~Impl() {
    {
      MutexLock lock(&mu);
      is_stopping = true;
    }
    changed.NotifyAll();
    thread.join();
  }

  void Run() EXCLUDES(mu) {
    std::function<void()> callback;
    while (WaitForNext(&callback)) {
      if (callback) callback();
      callback = nullptr;  // what it holds goes before Disarm may return
      MutexLock lock(&mu);
      running = 0;
      ended.NotifyAll();
    }
  }

  // False when the alarm stops.
  bool WaitForNext(std::function<void()>* callback) EXCLUDES(mu) {
    MutexLock lock(&mu);
    while (!is_stopping) {
      if (armed.empty()) {
        changed.Wait(&mu);
        continue;
      }
      const auto first = armed.begin();
      const TimePoint when = first->first.first;
      if (when <= std::chrono::steady_clock::now()) {
        *callback = std::move(first->second);
        running = first->first.second;
        times.erase(running);
        armed.erase(first);
        return true;
      }
      changed.WaitUntil(&mu, when);
    }
    return false;
  }

  Mutex mu;
  CondVar changed;  // an earlier time was armed, or the end
  CondVar ended;    // a callback returned
  std::map<Key, std::function<void()>> armed GUARDED_BY(mu);
  std::unordered_map<uint64_t, TimePoint> times GUARDED_BY(mu);  // by ticket
  uint64_t next_ticket GUARDED_BY(mu) = 1;
  uint64_t running GUARDED_BY(mu) = 0;  // ticket whose callback runs; 0: none
  bool is_stopping GUARDED_BY(mu) = false;
  std::thread thread;  // last: it uses the others
};

Alarm::Alarm() : impl_(std::make_unique<Impl>()) {}

Alarm::~Alarm() = default;

uint64_t Alarm::Arm(TimePoint when, std::function<void()> callback) {
  bool is_first = false;
  uint64_t ticket = 0;
  {
    MutexLock lock(&impl_->mu);
    ticket = impl_->next_ticket++;
    const auto at = impl_->armed.emplace(Impl::Key(when, ticket), std::move(callback)).first;
    impl_->times.emplace(ticket, when);
    is_first = at == impl_->armed.begin();
  }
  if (is_first) impl_->changed.NotifyOne();
  return ticket;
}

void Alarm::Disarm(uint64_t ticket) {
  std::function<void()> dropped;  // destroyed after the lock was left
  MutexLock lock(&impl_->mu);
  const auto at = impl_->times.find(ticket);
  if (at != impl_->times.end()) {
    const auto armed = impl_->armed.find({at->second, ticket});
    dropped = std::move(armed->second);
    impl_->armed.erase(armed);
    impl_->times.erase(at);
    return;
  }
  while (impl_->running == ticket) impl_->ended.Wait(&impl_->mu);
}

}  // namespace pt
