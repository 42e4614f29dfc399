// KillWitness: whether the kernel has killed a worker for want of memory. Nobody is told that
// (SIGKILL looks like SIGKILL), but the kernel counts such kills: for each memory cgroup (versions
// 1 and 2) and for the whole system. What rose between a look and the death was most likely it.
//
// Thread rule: one thread at a time. Owner rule: a value of WorkerChild; keeps no descriptors.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace pt::backend {

class KillWitness {
 public:
  // `root`: what /proc and the cgroups are below; tests have their own.
  explicit KillWitness(std::string root = "") : root_(std::move(root)) {}

  // Notes where the process belongs and what was counted until now. Cheap when it has been looked
  // at before and has not been moved since. REQUIRES: it has not ended.
  void Look(pid_t process);

  enum class Verdict {
    kUnknown,  // nothing was counted, or nothing could be read
    kLikely,   // the system has killed some process for want of memory
    kSure,     // one of that very cgroup
  };
  // After its death.
  Verdict Judge() const;

 private:
  std::string CounterFile(const std::string& groups) const;

  std::string root_;
  std::string groups_;                // as /proc has them
  std::string counter_;               // a file with a line "oom_kill <n>"; empty: none
  std::optional<int64_t> in_group_;   // at the last look
  std::optional<int64_t> in_system_;  // at the first
};

}  // namespace pt::backend
