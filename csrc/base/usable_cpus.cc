#include "base/usable_cpus.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <thread>

namespace pt {
namespace {

double ReadNumber(const std::string& path) {
  double number = 0;
  std::ifstream(path) >> number;  // stays 0 where there is no such file, and for "max"
  return number;
}

// CPUs that the group in this folder may keep busy; 0: as many as there are.
double QuotaOf(const std::string& folder) {
  double quota = 0;
  double period = 0;
  if (std::ifstream both(folder + "/cpu.max"); both >> quota >> period) return quota / period;
  quota = ReadNumber(folder + "/cpu.cfs_quota_us");  // -1: none
  period = ReadNumber(folder + "/cpu.cfs_period_us");
  return quota > 0 && period > 0 ? quota / period : 0;
}

bool HasCpu(const std::string& controllers) {
  std::istringstream names(controllers);
  for (std::string name; std::getline(names, name, ',');) {
    if (name == "cpu") return true;
  }
  return false;
}

// The least of a group and those above it. In a container the upper part of its path may not be
// there: the root of what is mounted is its own group then.
double LeastQuota(const std::string& mount, std::string path, double least) {
  while (true) {
    const double quota = QuotaOf(mount + path);
    if (quota > 0) least = std::min(least, quota);
    if (path.empty()) return least;
    path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
  }
}

}  // namespace

unsigned UsableCpus(unsigned cpus, const CgroupPlaces& places) {
  double least = cpus;
  std::ifstream groups(places.own);
  // "NUMBER:CONTROLLERS:PATH"; version 2 has no controllers there.
  for (std::string line; std::getline(groups, line);) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string path = line.substr(second + 1);
    if (controllers.empty()) least = LeastQuota(places.mount, path, least);
    if (HasCpu(controllers)) least = LeastQuota(places.mount + "/" + controllers, path, least);
  }
  return static_cast<unsigned>(least);
}

unsigned UsableCpus() { return UsableCpus(std::thread::hardware_concurrency(), {}); }

}  // namespace pt
