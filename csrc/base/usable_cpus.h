// UsableCpus: how many CPUs this process may keep busy: those it may run on, or fewer where the
// quota of its cgroup is less, as in a container with a limit. Rounded down; 0: less than one.
//
// A thread that polls eats of the quota; who forgets that is stopped for the rest of the period.
// Thread rule: any. Reads a few small files: not for a hot path.
#pragma once

#include <string>

namespace pt {

// Where the kernel tells (cgroups(7)): the process's groups, and their files, version 1 or 2.
struct CgroupPlaces {
  std::string own = "/proc/self/cgroup";
  std::string mount = "/sys/fs/cgroup";
};

unsigned UsableCpus();
unsigned UsableCpus(unsigned cpus, const CgroupPlaces& places);

}  // namespace pt
