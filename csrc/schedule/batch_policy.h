// BatchPolicy: decides how many of the waiting requests form the next batch. Pure: it sees requests
// in queue order, the limits and `now`, and touches nothing (spec/triton-core 3.3).
//
// A batch is closed by the first request that does not fit: too many rows, other shapes, or another
// set of optional inputs. Requests are never reordered to find a match and never split. Thread
// rule: BatchLimits is constant; a BatchForm belongs to one decision.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "infer/model_config.h"
#include "infer/request.h"

namespace pt::schedule {

struct BatchLimits {
  int64_t max_size = 1;                  // rows of one batch
  bool one_request = false;              // never merge (no batcher)
  std::vector<int64_t> preferred_sizes;  // ascending
  Duration max_delay{0};                 // counted from the oldest member
  bool must_match = false;               // shapes or optional inputs may differ between requests
  const ModelConfig* config = nullptr;   // for the comparison; set when must_match

  static BatchLimits For(const ModelConfig& config);
  // Whether nobody asked for batches of certain sizes, or to wait for larger ones. The largest size
  // alone is what a configuration prefers that says nothing.
  bool may_be_parted() const {
    return max_delay.count() == 0 &&
           (preferred_sizes.empty() || preferred_sizes.front() == max_size);
  }
};

struct BatchDecision {
  size_t take = 0;  // requests from the front of the queue; 0: none yet
  TimePoint wait_until =
      kNoDeadline;  // when to decide again if nothing comes; meaningful for take == 0
};

// Collects requests in queue order, then decides.
class BatchForm {
 public:
  // With `most` requests it is closed, whatever the limits allow.
  explicit BatchForm(const BatchLimits* limits, size_t most = SIZE_MAX)
      : limits_(limits), most_(most) {}

  // False when `request` can't join and closes the batch: stop offering.
  bool Offer(const InferRequest& request);
  BatchDecision Decide(TimePoint now) const;

 private:
  bool Matches(const InferRequest& request) const;

  const BatchLimits* const limits_;
  const size_t most_;
  const InferRequest* first_ = nullptr;
  size_t count_ = 0;
  int64_t size_ = 0;
  size_t preferred_count_ = 0;  // requests that make up the largest preferred size reached
  bool is_closed_ = false;      // nothing more can join
  TimePoint oldest_ = kNoDeadline;
};

}  // namespace pt::schedule
