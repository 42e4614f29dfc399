// Backend interfaces: what runs a batch. A BackendInstance is used by one fixed thread for life.
//
// Thread rule: Start, Execute and Stop are called on the instance's own thread, in this order.
// Owner rule: the model owns its backend, the scheduler owns the instances.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/status.h"
#include "infer/request.h"
#include "infer/stats.h"

namespace pt {

class LoadControl;
class LoopHost;
struct ModelConfig;

// What one execution gets: whole requests of one model version, none cancelled or expired when
// taken.
struct Batch {
  RequestList requests;
  // One for each request, filled by Execute; sent by the caller after Execute returned, as final
  // ones.
  std::vector<InferResponse> responses;
  int64_t size = 0;   // sum of the requests' batch sizes
  TimePoint started;  // when it was taken from the queue
  // What is known of the execution before it begins: sizes, and how long the requests waited.
  ExecutionRecord record;
  // Set by an Execute that returns while the batch runs on: it has taken all requests out, and adds
  // the record to the model's statistics when the batch has ended. Else the executor does.
  bool is_handed_over = false;
  // For Execute before it waits long for others: gives up what would stall meanwhile (an event loop
  // that this thread drives). May be empty.
  std::function<void()> before_long_wait;
};

// When the parts of one execution ended, for the statistics: gather, run; the scatter ends at
// return.
struct ExecutionTimes {
  TimePoint input_end;
  TimePoint infer_end;
};

class BackendInstance {
 public:
  virtual ~BackendInstance() = default;
  // Prepares this thread (thread state, affinity). Errors stop the load of the model.
  virtual Status Start() { return {}; }
  // Fills batch->responses[i] for each request i. Or takes a request out (requests[i] becomes null)
  // to answer it later or in parts from any thread (coroutines, streams): then it first calls
  // InferRequest::AnswerLater and later Respond or Fail. Never blocks on a lock that callers hold.
  virtual void Execute(Batch* batch, ExecutionTimes* times) = 0;

  // For those of a backend that RunsElsewhere. From Follow to Unfollow the instance's thread drives
  // `loop`: Execute may then hand the batch over and return, and the loop hears when it has ended.
  // Called again for the same loop it does nothing.
  virtual void Follow(LoopHost* /*loop*/) {}
  virtual void Unfollow() {}
  // Whether a batch that it is given now would be of use. Any thread.
  virtual bool CanTake() const { return true; }
  // How many of `waiting` requests its next batch should have at most, at least one: fewer than all
  // where it gains more by beginning with a part. A hint, for models whose batches needn't have
  // certain sizes. Instance's thread.
  virtual size_t Share(size_t waiting) const { return waiting; }
  // Between Follow and Unfollow, before the loop waits: looks once more for what has ended, and has
  // the loop woken for what ends from now on. True: CanTake may have changed.
  virtual bool Rest() { return false; }
  // Before Stop, for an instance that goes while its model serves on: waits until all that it has
  // begun has ended, batches that it handed over and requests that it answers later.
  virtual void Settle() {}
  // Called once when nothing runs any more.
  virtual void Stop() {}
};

// Which instances come and go, by their numbers.
struct InstanceChange {
  std::vector<int> added;
  std::vector<int> removed;
};

class Backend {
 public:
  virtual ~Backend() = default;
  // Makes instance `ordinal` of `count`. Called before the instance's thread starts.
  virtual Result<std::unique_ptr<BackendInstance>> CreateInstance(int ordinal) = 0;
  // Waits until asynchronous work has ended; called before the instances stop.
  virtual void Drain() {}
  // Whether its instances need their threads only to hand batches over, while they follow a loop.
  virtual bool RunsElsewhere() const { return false; }
  // Gives up what runs now, where that can be done: it fails. Nothing runs after it. Any thread.
  virtual void Abandon() {}
  // Why it can't execute now (every worker process is dead); OK otherwise. Any thread.
  virtual Status Health() const { return {}; }

  // Whether instances can come and go while the model serves.
  virtual bool CanChange() const { return false; }
  // REQUIRES: CanChange. What to do for the instances to be those of `config`, which differs in the
  // groups only. CreateInstance then makes the added ones, whose start ends when `control` (may be
  // null) is cancelled. One change at a time; each added one is forgotten in the end.
  virtual Result<InstanceChange> PlanChange(const ModelConfig& config,
                                            const std::shared_ptr<LoadControl>& control) {
    (void)config;
    (void)control;
    return Unsupported("instances of this backend can't come and go");
  }
  // The model's configuration is this one from now on: what instances that start again are told.
  // Any thread.
  virtual void OnChanged(const ModelConfig& /*config*/) {}
  // That instance takes nothing new any more. Any thread.
  virtual void OnLeaving(int /*ordinal*/) {}
  // That instance has stopped and is destroyed, or never was. Any thread.
  virtual void Forget(int /*ordinal*/) {}
};

}  // namespace pt
