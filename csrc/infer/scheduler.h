// Scheduler: takes a model's requests and has its instances run them.
//
// Thread rule: Submit from any loop thread; Stop from a thread that is no loop and no instance.
// Owner rule: owned by its Model.
#pragma once

#include <cstdint>
#include <vector>

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

  // Instances that come and go while the model serves, one change at a time (infer/model_change.h).
  // Whether it can go on with that many.
  virtual bool CanHave(int /*count*/) const { return false; }
  // Makes these and starts them; they take no work yet. Returns when all have started, or one has
  // failed and all have ended again. Errors: why.
  virtual Status Prepare(const std::vector<int>& ordinals) {
    (void)ordinals;
    return Unsupported("instances of this scheduler can't come and go");
  }
  // In one step: what was prepared takes work; `removed` takes none, ends what it has begun, and
  // goes on its own. Waits for nobody.
  virtual void Apply(const std::vector<int>& /*removed*/) {}
  // Ends what was prepared, and waits for that.
  virtual void TakeBack() {}

  // Ends the threads. Queued requests are answered Unavailable. Idempotent.
  virtual void Stop() = 0;
};

}  // namespace pt
