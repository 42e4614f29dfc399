#include "backend/worker_kill_witness.h"

#include <unistd.h>

#include <charconv>
#include <fstream>
#include <sstream>
#include <string_view>
#include <utility>
#include <vector>

namespace pt::backend {
namespace {

std::string ReadAll(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return file ? std::move(text).str() : std::string();
}

// Where a hierarchy of cgroups with memory is mounted, and which part of it.
struct Mount {
  std::string point;
  std::string root;
  bool is_first_version = false;
};

// A line of /proc/self/mountinfo (proc(5)): "36 35 98:0 /root /point options ... - type source
// more".
std::optional<Mount> ParseMount(const std::string& line) {
  const size_t dash = line.find(" - ");
  if (dash == std::string::npos) return std::nullopt;
  std::istringstream before(line.substr(0, dash));
  std::istringstream after(line.substr(dash + 3));
  std::string skipped;
  std::string type;
  std::string options;
  Mount mount;
  before >> skipped >> skipped >> skipped >> mount.root >> mount.point;
  after >> type >> skipped >> options;
  options = "," + options + ",";
  mount.is_first_version = type == "cgroup" && options.find(",memory,") != std::string::npos;
  if (!mount.is_first_version && type != "cgroup2") return std::nullopt;
  return mount;
}

// The path in a line of /proc/<pid>/cgroup (cgroups(7)): "4:memory:/path", "0::/path" in version 2.
std::optional<std::string> PathIn(const std::string& groups, bool is_first_version) {
  std::istringstream lines(groups);
  for (std::string line; std::getline(lines, line);) {
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const bool is_it = is_first_version ? controllers.find(",memory,") != std::string::npos
                                        : line.starts_with("0::");
    if (is_it) return line.substr(second + 1);
  }
  return std::nullopt;
}

std::optional<int64_t> CountIn(const std::string& path) {
  constexpr std::string_view kName = "oom_kill ";
  if (path.empty()) return std::nullopt;
  std::istringstream lines(ReadAll(path));
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(kName)) continue;
    int64_t count = 0;
    const char* const end = line.data() + line.size();
    if (std::from_chars(line.data() + kName.size(), end, count).ec == std::errc()) return count;
  }
  return std::nullopt;
}

bool HasRisen(const std::optional<int64_t>& before, const std::optional<int64_t>& now) {
  return before && now && *now > *before;
}

}  // namespace

std::string KillWitness::CounterFile(const std::string& groups) const {
  std::istringstream lines(ReadAll(root_ + "/proc/self/mountinfo"));
  std::string found;
  for (std::string line; std::getline(lines, line);) {
    const std::optional<Mount> mount = ParseMount(line);
    const auto path = mount ? PathIn(groups, mount->is_first_version) : std::nullopt;
    if (!path) continue;
    // A container sees a part of the hierarchy, and its own path either below that or from the top.
    const bool is_below = mount->root != "/" && path->starts_with(mount->root);
    const std::string folder =
        root_ + mount->point + (is_below ? path->substr(mount->root.size()) : *path);
    // The local file counts no kills of cgroups below.
    for (const char* name :
         mount->is_first_version
             ? std::vector<const char*>{"/memory.oom_control"}
             : std::vector<const char*>{"/memory.events.local", "/memory.events"}) {
      if (found.empty() && access((folder + name).c_str(), R_OK) == 0) found = folder + name;
    }
  }
  return found;
}

void KillWitness::Look(pid_t process) {
  std::string groups = ReadAll(root_ + "/proc/" + std::to_string(process) + "/cgroup");
  if (!in_system_) in_system_ = CountIn(root_ + "/proc/vmstat");
  if (groups == groups_) return;
  counter_ = CounterFile(groups);
  in_group_ = CountIn(counter_);
  groups_ = std::move(groups);
}

KillWitness::Verdict KillWitness::Judge() const {
  if (HasRisen(in_group_, CountIn(counter_))) return Verdict::kSure;
  return HasRisen(in_system_, CountIn(root_ + "/proc/vmstat")) ? Verdict::kLikely
                                                               : Verdict::kUnknown;
}

}  // namespace pt::backend
