// WorkerLoans: memory of the shared pool that a worker process may read, by number, until it gives
// it back or dies.
//
// Thread rule: thread-safe. Owner rule: shared by whoever lends; keeps the lent blocks alive.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <utility>

#include "backend/worker_codec.h"
#include "base/block.h"
#include "base/mutex.h"
#include "tensor/tensor.h"

namespace pt::backend {

class WorkerLoans {
 public:
  // Smaller tensors are copied into the message: cheaper than lending them.
  static constexpr size_t kLendBytes = size_t{16} << 10;

  explicit WorkerLoans(BlockPool* pool) : pool_(pool) {}

  // How a worker gets this tensor: large ones are lent (copied into the pool first if they lie
  // elsewhere), small ones go with the message. `tensor` must live until it was put there.
  TensorRecord Describe(uint16_t index, const TensorView& tensor) EXCLUDES(mu_);
  // Lends memory of the pool; its number.
  uint32_t Lend(Slice slice) EXCLUDES(mu_);
  // An empty slice for a number that isn't out.
  Slice Find(uint32_t number) const EXCLUDES(mu_);
  void Return(uint32_t number) EXCLUDES(mu_);
  void Clear() EXCLUDES(mu_);

 private:
  BlockPool* const pool_;
  mutable Mutex mu_;
  std::unordered_map<uint32_t, Slice> out_ GUARDED_BY(mu_);
  uint32_t next_ GUARDED_BY(mu_) = 1;
};

}  // namespace pt::backend
