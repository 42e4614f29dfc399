#include "backend/worker_loans.h"

#include <cstring>

#include "base/copy_count.h"
#include "base/shared_region.h"

namespace pt::backend {

TensorRecord WorkerLoans::Describe(uint16_t index, const TensorView& tensor) {
  TensorRecord record;
  record.index = index;
  record.type = tensor.type;
  record.shape = tensor.shape;
  record.size = tensor.data.size;
  record.bytes = tensor.data.view();
  const SharedRegion* region = pool_->region().get();
  if (record.size < kLendBytes || region == nullptr) return record;
  Slice loan = tensor.data;
  std::optional<uint64_t> offset = region->Locate(loan.data, loan.size);
  if (!offset) {
    BlockRef block = pool_->Allocate(std::max(loan.size, BlockPool::kSharedBytes));
    if (!block) return record;
    if (loan.size > 0) std::memcpy(block->data(), loan.data, loan.size);
    CountCopy(loan.size);
    const char* data = block->data();
    loan = Slice(std::move(block), data, loan.size);
    offset = region->Locate(data, loan.size);
    if (!offset) return record;
  }
  record.place = Place::kInput;
  record.offset = *offset;
  record.number = Lend(std::move(loan));
  return record;
}

uint32_t WorkerLoans::Lend(Slice slice) {
  MutexLock lock(&mu_);
  while (next_ == 0 || out_.count(next_) > 0) ++next_;
  out_.emplace(next_, std::move(slice));
  return next_++;
}

Slice WorkerLoans::Find(uint32_t number) const {
  MutexLock lock(&mu_);
  const auto it = out_.find(number);
  return it == out_.end() ? Slice() : it->second;
}

void WorkerLoans::Return(uint32_t number) {
  Slice returned;  // dropped without the lock
  MutexLock lock(&mu_);
  const auto it = out_.find(number);
  if (it == out_.end()) return;
  returned = std::move(it->second);
  out_.erase(it);
}

void WorkerLoans::Clear() {
  std::unordered_map<uint32_t, Slice> returned;
  MutexLock lock(&mu_);
  returned.swap(out_);
}

}  // namespace pt::backend
