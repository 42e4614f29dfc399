#include "base/gate.h"

#include <utility>

namespace pt {

bool Gate::TryEnter() {
  const int64_t before = state_.fetch_add(1, std::memory_order_acq_rel);
  if ((before & kClosed) == 0) return true;
  Leave();
  return false;
}

void Gate::Leave() {
  const int64_t before = state_.fetch_sub(1, std::memory_order_acq_rel);
  // A refused TryEnter may pass through zero a second time: the exchange makes it run once.
  if (before == kClosed + 1 && !has_drained_.exchange(true, std::memory_order_acq_rel)) {
    auto drained = std::move(drained_);
    if (drained) drained();  // may destroy this gate
  }
}

void Gate::Close(std::function<void()> drained) {
  drained_ = std::move(drained);
  // Close and enter in one step, then leave: whoever brings the count to zero runs the callback,
  // and this thread does not touch a gate that the callback may have destroyed.
  state_.fetch_add(kClosed + 1, std::memory_order_acq_rel);
  Leave();
}

}  // namespace pt
