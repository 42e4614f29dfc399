#include "api/host_usage.h"

#include <fstream>
#include <sstream>
#include <string>

namespace pt::api {
namespace {

constexpr uint64_t kBytesPerKilobyte = 1024;

// The first line of /proc/stat (proc(5)): user nice system idle iowait irq softirq steal.
bool ReadTicks(uint64_t* busy, uint64_t* total) {
  std::ifstream file("/proc/stat");
  std::string label;
  if (!(file >> label) || label != "cpu") return false;
  constexpr int kColumns = 8, kIdle = 3, kIoWait = 4;
  *busy = *total = 0;
  for (int column = 0; column < kColumns; ++column) {
    uint64_t ticks = 0;
    if (!(file >> ticks)) return false;
    *total += ticks;
    if (column != kIdle && column != kIoWait) *busy += ticks;
  }
  return true;
}

bool ReadMemory(HostSample* sample) {
  std::ifstream file("/proc/meminfo");
  std::string line;
  uint64_t available = 0;
  bool has_available = false;
  while (std::getline(file, line)) {
    std::istringstream fields(line);
    std::string key;
    uint64_t kilobytes = 0;
    fields >> key >> kilobytes;
    if (key == "MemTotal:") sample->memory_total_bytes = kilobytes * kBytesPerKilobyte;
    if (key == "MemAvailable:") {
      available = kilobytes * kBytesPerKilobyte;
      has_available = true;
      break;
    }
  }
  if (!has_available || available > sample->memory_total_bytes) return false;
  sample->memory_used_bytes = sample->memory_total_bytes - available;
  return true;
}

}  // namespace

std::optional<HostSample> HostUsage::Take() {
  HostSample sample;
  uint64_t busy = 0, total = 0;
  if (!ReadTicks(&busy, &total) || !ReadMemory(&sample)) return {};
  MutexLock lock(&mu_);
  if (total > last_total_ && busy >= last_busy_) {
    last_utilization_ =
        static_cast<double>(busy - last_busy_) / static_cast<double>(total - last_total_);
    last_busy_ = busy;
    last_total_ = total;
  }
  sample.cpu_utilization = last_utilization_;
  return sample;
}

}  // namespace pt::api
