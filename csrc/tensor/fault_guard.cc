#include "tensor/fault_guard.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>

#include "base/mutex.h"

namespace pt {

// Never freed, only used again: the handler may walk the list at any moment.
struct GuardedRange {
  std::atomic<uintptr_t> begin{0};
  std::atomic<uintptr_t> end{0};  // 0: not in use
  std::atomic<bool> is_broken{false};
  std::atomic<bool> is_taken{true};
  GuardedRange* next = nullptr;  // constant once the range is in the list
};

namespace {

// A signal handler is given nothing but the signal: what it needs to know has to be global.
struct HandlerState {
  std::atomic<GuardedRange*> ranges{nullptr};
  uintptr_t page_size = 0;
  struct sigaction previous = {};
  Mutex mu;
  bool has_previous GUARDED_BY(mu) = false;
};

HandlerState& State() {
  // NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables)
  static HandlerState* const state = new HandlerState;  // outlives every thread
  return *state;
}

// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables)
std::atomic<HandlerState*> handler_state{nullptr};  // a function static is not async-signal-safe

GuardedRange* FindRange(const HandlerState& state, uintptr_t address) {
  GuardedRange* range = state.ranges.load(std::memory_order_acquire);
  for (; range != nullptr; range = range->next) {
    if (address < range->end.load(std::memory_order_acquire) &&
        address >= range->begin.load(std::memory_order_acquire)) {
      return range;
    }
  }
  return nullptr;
}

void PassOn(const struct sigaction& previous, int number, siginfo_t* info, void* context) {
  if ((previous.sa_flags & SA_SIGINFO) != 0) {
    previous.sa_sigaction(number, info, context);
  } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
    previous.sa_handler(number);
  } else {
    // The access is tried again on return, and then ends the process as it would have without us.
    sigaction(number, &previous, nullptr);
  }
}

// Async-signal-safe: mmap is a bare system call.
void OnBusError(int number, siginfo_t* info, void* context) {
  const int saved_errno = errno;
  const HandlerState& state = *handler_state.load(std::memory_order_acquire);
  const auto address = reinterpret_cast<uintptr_t>(info->si_addr);
  GuardedRange* range = info->si_code == BUS_ADRERR ? FindRange(state, address) : nullptr;
  if (range != nullptr) {
    range->is_broken.store(true, std::memory_order_release);
    // Everything from here on is lost too, or will be of no use: the request fails anyway.
    char* const page = static_cast<char*>(info->si_addr) - (address & (state.page_size - 1));
    const size_t size =
        range->end.load(std::memory_order_acquire) - (address & ~(state.page_size - 1));
    void* zeros = mmap(page, size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
    errno = saved_errno;
    if (zeros != MAP_FAILED) return;
  }
  PassOn(state.previous, number, info, context);
}

GuardedRange* TakeRange() {
  HandlerState& state = State();
  for (GuardedRange* range = state.ranges.load(std::memory_order_acquire); range != nullptr;
       range = range->next) {
    bool is_taken = false;
    if (range->is_taken.compare_exchange_strong(is_taken, true)) return range;
  }
  auto* range = new GuardedRange;
  range->next = state.ranges.load(std::memory_order_relaxed);
  while (!state.ranges.compare_exchange_weak(range->next, range, std::memory_order_acq_rel)) {
  }
  return range;
}

}  // namespace

Status FaultGuard::Install() {
  HandlerState& state = State();
  MutexLock lock(&state.mu);
  if (IsActive()) return {};
  state.page_size = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  handler_state.store(&state, std::memory_order_release);
  struct sigaction action = {};
  action.sa_sigaction = OnBusError;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  sigemptyset(&action.sa_mask);
  // Whoever replaced us meanwhile may pass signals on to us: they don't get them back from here.
  struct sigaction* const previous = state.has_previous ? nullptr : &state.previous;
  if (sigaction(SIGBUS, &action, previous) != 0) {
    return Internal("expected to install a handler of SIGBUS, got: " +
                    std::string(std::strerror(errno)));
  }
  state.has_previous = true;
  return {};
}

bool FaultGuard::IsActive() {
  struct sigaction current = {};
  return sigaction(SIGBUS, nullptr, &current) == 0 && (current.sa_flags & SA_SIGINFO) != 0 &&
         current.sa_sigaction == OnBusError;
}

Guarded::Guarded(const char* begin, size_t size) : range_(TakeRange()) {
  const auto address = reinterpret_cast<uintptr_t>(begin);
  range_->is_broken.store(false, std::memory_order_relaxed);
  range_->begin.store(address, std::memory_order_release);
  range_->end.store(address + size, std::memory_order_release);
}

Guarded::~Guarded() {
  range_->end.store(0, std::memory_order_release);
  range_->is_taken.store(false, std::memory_order_release);
}

bool Guarded::is_broken() const { return range_->is_broken.load(std::memory_order_acquire); }

}  // namespace pt
