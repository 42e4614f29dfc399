#include "infer/response.h"

#include <utility>

namespace pt {

void Responder::Cancel() {
  if (cancelled_.exchange(true, std::memory_order_acq_rel)) return;
  // The observer runs under the lock: OnCancel({}) then returns only after it ended.
  MutexLock lock(&mu_);
  if (observer_) std::exchange(observer_, nullptr)();
}

void Responder::OnCancel(std::function<void()> observer) {
  MutexLock lock(&mu_);
  if (observer && is_cancelled()) {
    // Cancel saw no observer, or waits for this lock and will find none.
    observer_ = nullptr;
    observer();
    return;
  }
  observer_ = std::move(observer);
}

}  // namespace pt
