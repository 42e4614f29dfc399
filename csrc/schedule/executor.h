// Executor: runs one batch on an instance, records what it took, then sends the answers.
//
// Thread rule: belongs to one instance thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>

#include "base/clock.h"
#include "base/mutex.h"
#include "infer/backend.h"

namespace pt::schedule {

// Lets batches send their answers in the order in which they were taken (preserve_ordering). A
// batch that is done early waits here for its predecessors; whoever completes the row sends for
// all. Thread rule: thread-safe; answers are sent without the lock held.
class OrderedSender {
 public:
  // The place of the next batch in the row. Called under the queue's lock.
  uint64_t NextTicket() { return next_ticket_++; }
  void Send(uint64_t ticket, Batch&& batch) EXCLUDES(mu_);

 private:
  uint64_t next_ticket_ = 0;
  Mutex mu_;
  std::map<uint64_t, Batch> done_ GUARDED_BY(mu_);
  uint64_t next_to_send_ GUARDED_BY(mu_) = 0;
  bool is_sending_ GUARDED_BY(mu_) = false;
};

// Runs `batch` (requests, size and started are set) and fills batch->responses; statistics are
// recorded before it returns, so that they are there when a client sees its answer. Returns how
// long it took.
Duration ExecuteBatch(BackendInstance* instance, const Clock& clock, Batch* batch);

// Sends batch->responses as final answers; empties the batch.
void SendAnswers(Batch* batch);

}  // namespace pt::schedule
