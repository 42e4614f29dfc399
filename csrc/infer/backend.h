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

namespace pt {

// What one execution gets: whole requests of one model version, none cancelled or expired when
// taken.
struct Batch {
  RequestList requests;
  // One for each request, filled by Execute; sent by the caller after Execute returned, as final
  // ones.
  std::vector<InferResponse> responses;
  int64_t size = 0;   // sum of the requests' batch sizes
  TimePoint started;  // when it was taken from the queue
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
  // Called once when nothing runs any more.
  virtual void Stop() {}
};

class Backend {
 public:
  virtual ~Backend() = default;
  // Makes instance `ordinal` of `count`. Called before the instance's thread starts.
  virtual Result<std::unique_ptr<BackendInstance>> CreateInstance(int ordinal) = 0;
  // Waits until asynchronous work has ended; called before the instances stop.
  virtual void Drain() {}
  // Why it can't execute now (every worker process is dead); OK otherwise. Any thread.
  virtual Status Health() const { return {}; }
};

}  // namespace pt
