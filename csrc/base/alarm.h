// Alarm: one thread that calls back at given times (queue timeouts, client deadlines, batch
// delays).
//
// Thread rule: thread-safe. Callbacks run on the alarm's thread, with no lock held; keep them
// short. Owner rule: owned by the server; destroyed after everybody who arms it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "base/clock.h"

namespace pt {

class Alarm {
 public:
  Alarm();
  ~Alarm();  // runs nothing more; joins
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;

  // Calls `callback` once at `when` (or soon after). Returns a ticket, never 0.
  uint64_t Arm(TimePoint when, std::function<void()> callback);
  // After it returns the callback neither runs nor will run. REQUIRES: not on the alarm's thread.
  void Disarm(uint64_t ticket);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pt
