// RequestQueue: the requests of one model version that wait, by priority, with limits and expiry
// times (spec/triton-core 3.3, triton-frontend 10). Data and rules only: no lock, no clock, no
// thread.
//
// Thread rule: guarded by its scheduler's mutex. Owner rule: owns the requests in it.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "infer/model_config.h"
#include "infer/request.h"
#include "schedule/batch_policy.h"

namespace pt::schedule {

// A request that left the queue without being run, and why.
struct Dropped {
  RequestPtr request;
  Status status;
  FailureReason reason;
};
using DroppedList = std::vector<Dropped>;

class RequestQueue {
 public:
  explicit RequestQueue(const ModelConfig& config);

  // Appends to the level of the request's priority. A request that does not fit (or is cancelled or
  // expired already) goes to `dropped` instead.
  void Push(RequestPtr request, TimePoint now, DroppedList* dropped);

  // Decides on the waiting requests and, when a batch is due, moves it into `batch`: `most`
  // requests at most. Cancelled and expired requests that are met on the way go to `dropped`.
  BatchDecision Take(const BatchLimits& limits, TimePoint now, RequestList* batch,
                     DroppedList* dropped, size_t most = SIZE_MAX);

  // Moves every cancelled or expired request to `dropped` (or, by policy, behind the others).
  void Sweep(TimePoint now, DroppedList* dropped);
  // Moves everything to `dropped`.
  void Clear(const Status& status, DroppedList* dropped);

  // The earliest time at which a waiting request may expire; kNoDeadline when none can.
  TimePoint next_expiry() const { return next_expiry_; }
  size_t size() const { return size_; }

 private:
  struct Waiting {
    RequestPtr request;
    TimePoint timeout = kNoDeadline;  // queue timeout; the client's deadline is in the request
    bool is_delayed = false;  // timed out under TimeoutAction::kDelay: runs after the others
  };
  struct Level {
    QueuePolicy policy;
    std::deque<Waiting> waiting;
    std::deque<Waiting> delayed;
  };

  Level& LevelOf(uint32_t priority);
  bool DropIfDead(Waiting* waiting, TimePoint now, DroppedList* dropped);
  // Offers the live requests of `waiting` from the front on. False when the form is closed.
  bool OfferFrom(Level* level, std::deque<Waiting>* waiting, BatchForm* form, TimePoint now,
                 DroppedList* dropped);
  void MoveTo(RequestList* batch, size_t count);
  static TimePoint TimeoutOf(const QueuePolicy& policy, const InferRequest& request);

  const uint32_t default_level_;
  std::vector<Level> levels_;  // index 0: the highest priority
  size_t size_ = 0;
  TimePoint next_expiry_ = kNoDeadline;
};

}  // namespace pt::schedule
