#include "repo/resident_memory.h"

#include <malloc.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <vector>

#include "repo/dir_reader.h"

namespace pt::repo {
namespace {

// More are a fork bomb, not workers.
constexpr size_t kMaxProcesses = 4096;

uint64_t ResidentBytesOf(const std::string& process) {
  std::ifstream file("/proc/" + process + "/statm");
  uint64_t size = 0;
  uint64_t resident = 0;
  file >> size >> resident;
  return file ? resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE)) : 0;
}

void AddChildren(const std::string& process, std::vector<std::string>* processes) {
  const std::string tasks = "/proc/" + process + "/task";
  const Result<std::vector<DirEntry>> threads = ReadDirectory(tasks);
  if (!threads.ok()) return;
  for (const DirEntry& thread : *threads) {
    std::ifstream file(tasks + "/" + thread.name + "/children");
    for (std::string child; file >> child;) processes->push_back(child);
  }
}

}  // namespace

uint64_t ResidentBytes() {
  std::vector<std::string> processes = {"self"};
  uint64_t bytes = 0;
  for (size_t i = 0; i < processes.size() && i < kMaxProcesses; ++i) {
    const std::string process = processes[i];
    bytes += ResidentBytesOf(process);
    AddChildren(process, &processes);
  }
  return bytes;
}

void GiveMemoryBack() { malloc_trim(0); }

}  // namespace pt::repo
