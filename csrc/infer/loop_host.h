// LoopHost: an event loop as an idle instance thread sees it.
//
// A loop is driven by one thread at a time: usually its own (home) thread. While a model is short
// (microseconds a batch), its instance thread drives the loop instead of sleeping: requests then
// reach the callable without waking another thread, and the callable still runs on its one fixed
// thread.
//
// Thread rule: as said at each function.
#pragma once

#include "base/clock.h"
#include "base/function_ref.h"
#include "base/status.h"

namespace pt {

// Hears from a loop that somebody wrote to an event descriptor.
class LoopSignal {
 public:
  virtual void OnSignal() = 0;  // on the driver

 protected:
  ~LoopSignal() = default;
};

class LoopHost {
 public:
  virtual ~LoopHost() = default;

  // True when the calling thread drives this loop now.
  virtual bool IsDrivenHere() const = 0;
  // True when the loop's home thread drives it (so that somebody else may be offered the role).
  virtual bool IsHome() const = 0;

  // Driver only, at the end of a round: gives the role up; `Drive` or `ReturnHome` must follow soon
  // on the thread that was chosen. The home thread stops polling when it returns from its round.
  virtual void Release() = 0;
  // Drives rounds on the calling thread until `stop` is true (asked before each wait). False: the
  // loop is closing; then ReturnHome must follow at once. REQUIRES: the role was released to this
  // thread, or it drives already.
  virtual bool Drive(FunctionRef<bool()> stop) = 0;
  // Gives the role back to the home thread and wakes it. REQUIRES: as for Drive.
  virtual void ReturnHome() = 0;
  // Ends the driver's current wait, so that it asks `stop` again. Any thread.
  virtual void Wake() = 0;

  // Calls `signal` after each write to the event descriptor `fd`, which needn't be read, until
  // Unwatch. REQUIRES: as for Drive; of Unwatch: the calling thread drives. Errors: Unavailable.
  virtual Status Watch(int /*fd*/, LoopSignal* /*signal*/) {
    return Unavailable("this loop watches nothing for others");
  }
  virtual void Unwatch(int /*fd*/, LoopSignal* /*signal*/) {}
  // Ends one wait after `longest` (milliseconds), the next or one soon after. Driver only.
  virtual void LimitWait(Duration /*longest*/) {}
};

}  // namespace pt
