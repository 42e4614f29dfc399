// BusyPoll: decides whether a loop looks for events again and again for a moment before it sleeps.
// Where a CPU idles, a wake-up costs both sides 10 to 30 us: for a client that asks one thing after
// the other that is more than most of its requests take.
//
// It is done while waits have been short, which is when it saves CPU time, too: the first long one
// ends it. And only by as many loops at a time as leave half of the CPUs to those who are waited
// for. Thread rule: one thread's; BusyPoll::Place any. Owner rule: a value.
#pragma once

#include <algorithm>
#include <atomic>

#include "base/clock.h"

namespace pt::net {

class BusyPoll {
 public:
  static constexpr Duration kLongest = std::chrono::microseconds(100);
  static constexpr int kShortWaits = 16;  // in a row, before the first one that is polled

  // One of the process's loops that poll at a time, for as long as it lives.
  class Place {
   public:
    explicit Place(unsigned cpus)
        : is_mine_(polling_.fetch_add(1, std::memory_order_relaxed) < cpus / 2) {}
    ~Place() { polling_.fetch_sub(1, std::memory_order_relaxed); }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    explicit operator bool() const { return is_mine_; }

   private:
    inline static std::atomic<unsigned> polling_{0};
    const bool is_mine_;
  };

  // Whether the next wait is to begin with it.
  bool IsDue() const { return short_waits_ >= kShortWaits; }
  // A wait has ended, with an event or without, after this time.
  void Ended(Duration waited) {
    short_waits_ = waited <= kLongest ? std::min(short_waits_ + 1, kShortWaits) : 0;
  }

  // A wait that was none of these.
  void Reset() { short_waits_ = 0; }

 private:
  int short_waits_ = 0;
};

}  // namespace pt::net
