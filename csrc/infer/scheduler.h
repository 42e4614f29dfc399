// Scheduler: takes a model's requests and has its instances run them.
//
// Thread rule: Submit from any loop thread; Stop from a thread that is no loop and no instance.
// Owner rule: owned by its Model.
#pragma once

#include <cstdint>

#include "base/status.h"
#include "infer/request.h"

namespace pt {

class LoopHost;

// The parameter of a model's configuration that names its group: executions of a group's models
// take turns.
inline constexpr char kExclusiveGroupParameter[] = "exclusive_group";

class Scheduler {
 public:
  virtual ~Scheduler() = default;

  // Creates the instances and their threads; returns when all have started or one has failed.
  virtual Status Start() = 0;
  // Takes every request of the list (all of this model, in order of arrival): one lock, at most one
  // notify. What can't be queued is answered here. `host` is the loop that calls, or null.
  virtual void Submit(RequestList&& requests, LoopHost* host) = 0;
  // Requests that wait, not yet taken by an instance.
  virtual int64_t queued() const = 0;
  // Ends the threads. Queued requests are answered Unavailable. Idempotent.
  virtual void Stop() = 0;
};

}  // namespace pt
