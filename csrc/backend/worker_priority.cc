#include "backend/worker_priority.h"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>
#include <thread>

namespace pt::backend {
namespace {

namespace fs = std::filesystem;

// As the kernel has it (sched_setattr(2)): not every C library does.
struct Attributes {
  uint32_t size = sizeof(Attributes);
  uint32_t policy = 0;
  uint64_t flags = 0;
  int32_t nice = 0;
  uint32_t priority = 0;
  uint64_t runtime = 0;  // the time slice, in ns, since Linux 6.12; 0: the usual one
  uint64_t deadline = 0;
  uint64_t period = 0;
};
static_assert(sizeof(Attributes) == 48);

// The longest that Linux takes: a thread with a shorter one that wakes up goes first.
constexpr uint64_t kPatientSlice = 100'000'000;
// Threads that are started meanwhile are found in the next pass.
constexpr int kMostPasses = 4;

bool Get(pid_t thread, Attributes* attributes) {
  return syscall(SYS_sched_getattr, thread, attributes, sizeof *attributes, 0) == 0;
}

bool Set(pid_t thread, const Attributes& attributes) {
  return syscall(SYS_sched_setattr, thread, &attributes, 0) == 0;
}

bool ChangePolicy(pid_t thread, uint32_t policy, uint64_t runtime) {
  Attributes attributes;
  if (!Get(thread, &attributes)) return false;
  const bool is_ours = attributes.policy == SCHED_OTHER || attributes.policy == SCHED_BATCH ||
                       attributes.policy == SCHED_IDLE;
  if (!is_ours || attributes.policy == policy) return false;
  attributes.policy = policy;
  attributes.runtime = runtime;
  attributes.flags = 0;
  attributes.size = sizeof attributes;
  return Set(thread, attributes);
}

bool IsOrdinary() {
  Attributes attributes;
  return Get(getpid(), &attributes) && attributes.policy == SCHED_OTHER;
}

// Few may take a thread out of SCHED_IDLE: it is tried with one of our own.
bool CanLeaveBackground() {
  bool can = false;
  std::thread([&can] {
    const auto self = static_cast<pid_t>(syscall(SYS_gettid));
    can = ChangePolicy(self, SCHED_IDLE, 0) && ChangePolicy(self, SCHED_OTHER, 0);
  }).join();
  return can;
}

}  // namespace

void SetPriority(pid_t process, WorkerPriority priority) {
  static const bool is_ordinary = IsOrdinary();
  static const bool can_leave_background = CanLeaveBackground();
  if (!is_ordinary) return;
  uint32_t policy = SCHED_OTHER;
  if (priority == WorkerPriority::kPatient) policy = SCHED_BATCH;
  if (priority == WorkerPriority::kBackground) {
    policy = can_leave_background ? SCHED_IDLE : SCHED_BATCH;
  }
  const uint64_t runtime = policy == SCHED_BATCH ? kPatientSlice : 0;
  const std::string tasks = "/proc/" + std::to_string(process) + "/task";
  bool has_changed = true;
  for (int pass = 0; has_changed && pass < kMostPasses; ++pass) {
    has_changed = false;
    std::error_code error;
    for (fs::directory_iterator at(tasks, error), end; !error && at != end; at.increment(error)) {
      const long thread = std::strtol(at->path().filename().c_str(), nullptr, 10);
      has_changed |= ChangePolicy(static_cast<pid_t>(thread), policy, runtime);
    }
  }
}

}  // namespace pt::backend
