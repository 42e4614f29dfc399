// Gate: stop new work and know when the work under way has ended (after seastar's gate).
//
// Thread rule: thread-safe; Enter and Leave are one atomic operation each while the gate is open.
// Owner rule: must outlive every entry; destroy it only after Close and the drained callback.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

#include "base/mutex.h"

namespace pt {

class Gate {
 public:
  // False once Close was called; then nothing was entered.
  bool TryEnter();
  // One more entry beside one that is held, also after Close. REQUIRES: the caller holds an entry.
  void EnterAgain() { state_.fetch_add(1, std::memory_order_relaxed); }
  // REQUIRES: a successful TryEnter or EnterAgain of the same work.
  void Leave();

  // Refuses new entries. `drained` runs once, when the last entry left: on this thread when there
  // is none, else on the thread that leaves last. REQUIRES: called once.
  void Close(std::function<void()> drained);

  bool is_closed() const { return (state_.load(std::memory_order_acquire) & kClosed) != 0; }
  int64_t entries() const { return state_.load(std::memory_order_acquire) & ~kClosed; }

 private:
  static constexpr int64_t kClosed = int64_t{1} << 62;
  std::atomic<int64_t> state_{0};
  std::atomic<bool> has_drained_{false};
  std::function<void()> drained_;  // written before kClosed is set, read after it was seen
};

}  // namespace pt
