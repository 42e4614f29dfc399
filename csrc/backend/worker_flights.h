// WorkerFlights: the requests that one worker process holds, and the memory that was lent to it.
// Writes batches as messages and turns the worker's messages into answers.
//
// Thread rule: one thread at a time (WorkerProcess says who). Owner rule: owns the requests it was
// given until they are answered; cancelled requests set a flag that the worker reads.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "backend/worker_codec.h"
#include "backend/worker_loans.h"
#include "backend/worker_ring.h"
#include "base/block.h"
#include "base/shared_region.h"
#include "infer/backend.h"

namespace pt::backend {

class WorkerFlights {
 public:
  // `results`: where the worker puts large outputs. All are shared with answers under way.
  WorkerFlights(std::shared_ptr<WorkerRing> ring, std::shared_ptr<SharedRegion> results,
                std::shared_ptr<WorkerLoans> loans, BlockPool* pool, std::string instance_name);
  ~WorkerFlights();
  WorkerFlights(const WorkerFlights&) = delete;
  WorkerFlights& operator=(const WorkerFlights&) = delete;

  // Takes the batch's requests and writes them as one message. With `is_waited`, final answers go
  // back into the batch, until Leave. Errors: Unavailable, and nothing was taken.
  Status Enter(uint32_t sequence, Batch* batch, bool is_waited, MessageWriter* out);
  // The batch is about to go: what is unanswered answers for itself from now on.
  void Leave(Batch* batch);

  // The bytes of a tensor that the worker sent; false: they aren't where it says, or no text where
  // the type says so.
  Slice ToSlice(const TensorRecord& tensor, bool* is_sound);

  // False: malformed, the worker must go.
  bool OnResponses(std::string_view message);
  bool OnReturnInputs(std::string_view message);
  // The worker dropped a request that has no final response.
  void OnRelease(uint64_t key);
  void OnReschedule(uint64_t key);
  // `execute` raised: what is unanswered of the batch fails with the text that clients see. The ids
  // of these requests, for the log.
  std::string FailBatch(uint32_t sequence, const std::string& text);
  // The worker is dead. Requests of batches up to `begun` fail; the others are given back to their
  // scheduler.
  void FailAll(uint32_t begun, const std::string& text);

  size_t size() const { return live_; }
  bool is_full() const { return free_.size() < kReserve; }

 private:
  struct Flight {
    RequestPtr request;
    Batch* batch = nullptr;  // where the answer is awaited
    size_t index = 0;        // in the batch
    uint32_t sequence = 0;
    uint32_t generation = 0;
    bool has_answered = false;
  };
  static constexpr size_t kReserve = 1024;

  void PutRequest(uint64_t key, const InferRequest& request, MessageWriter* out);
  Flight* Find(uint64_t key);
  void Deliver(Flight* flight, InferResponse&& response, Finality finality);
  void Remove(Flight* flight);
  InferResponse ToResponse(ResponseRecord* record, const InferRequest& request, bool* is_sound);
  RequestPtr TakeOut(Flight* flight);
  Status NotHealthy(const std::string& text) const;

  const std::shared_ptr<WorkerRing> ring_;
  const std::shared_ptr<SharedRegion> results_;
  const std::shared_ptr<WorkerLoans> loans_;
  BlockPool* const pool_;
  const std::string instance_name_;
  std::vector<Flight> flights_;
  std::vector<uint32_t> free_;
  std::vector<uint32_t> awaited_;  // those of the batch that is waited for
  size_t live_ = 0;
};

}  // namespace pt::backend
