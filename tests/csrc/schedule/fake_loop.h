// FakeLoop: a loop host without sockets, for schedulers.
//
// Thread rule: thread-safe.
#pragma once

#include <functional>
#include <thread>
#include <utility>

#include "base/mutex.h"
#include "infer/loop_host.h"

namespace pt::schedule {

// A loop without sockets: a driver waits until it is woken, then asks `stop`.
class FakeLoop final : public LoopHost {
 public:
  bool IsDrivenHere() const override {
    MutexLock lock(&mu_);
    return driver_ == std::this_thread::get_id();
  }
  bool IsHome() const override {
    MutexLock lock(&mu_);
    return is_home_;
  }
  void Release() override {
    MutexLock lock(&mu_);
    is_home_ = false;
    driver_ = std::thread::id();
  }
  bool Drive(FunctionRef<bool()> stop) override {
    Take();
    while (true) {
      if (stop()) return true;
      std::function<void()> round;
      {
        MutexLock lock(&mu_);
        while (!is_woken_ && !round_ && !is_closing_) changed_.Wait(&mu_);
        if (is_closing_) return false;
        is_woken_ = false;
        round = std::exchange(round_, nullptr);
      }
      if (round) round();
    }
  }
  void ReturnHome() override {
    MutexLock lock(&mu_);
    is_home_ = true;
    ++returns_;
    driver_ = std::thread::id();
    changed_.NotifyAll();
  }
  void Wake() override {
    MutexLock lock(&mu_);
    is_woken_ = true;
    changed_.NotifyAll();
  }

  // Runs `round` as the driver: here when the loop is at home, else on the instance that drives it.
  void RunRound(std::function<void()> round) {
    {
      MutexLock lock(&mu_);
      if (!is_home_) {
        round_ = std::move(round);
        changed_.NotifyAll();
        return;
      }
      driver_ = std::this_thread::get_id();
    }
    round();
  }
  void WaitUntilDrivenElsewhere() {
    MutexLock lock(&mu_);
    while (is_home_ || driver_ == std::thread::id()) changed_.Wait(&mu_);
  }
  void Close() {
    MutexLock lock(&mu_);
    is_closing_ = true;
    changed_.NotifyAll();
  }
  void WaitForReturn() {
    MutexLock lock(&mu_);
    while (returns_ == 0) changed_.Wait(&mu_);
  }
  bool is_away() const { return !IsHome(); }

 private:
  void Take() {
    MutexLock lock(&mu_);
    driver_ = std::this_thread::get_id();
    changed_.NotifyAll();
  }
  mutable Mutex mu_;
  CondVar changed_;
  bool is_home_ GUARDED_BY(mu_) = true;
  bool is_woken_ GUARDED_BY(mu_) = false;
  bool is_closing_ GUARDED_BY(mu_) = false;
  int returns_ GUARDED_BY(mu_) = 0;
  std::thread::id driver_ GUARDED_BY(mu_);
  std::function<void()> round_ GUARDED_BY(mu_);
};

}  // namespace pt::schedule
