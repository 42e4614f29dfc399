#include "repo/dir_reader.h"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <system_error>
#include <utility>

namespace pt::repo {
namespace {

struct CloseDir {
  void operator()(DIR* dir) const { closedir(dir); }
};

// False when the entry vanished.
bool Look(int dir, const std::string& path, DirEntry* entry) {
  if (fstatat(dir, entry->name.c_str(), &entry->info, 0) == 0) return true;
  const int error = errno;
  struct stat link = {};
  if (fstatat(dir, entry->name.c_str(), &link, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT) {
    return false;
  }
  entry->problem = FileProblem("stat", path + "/" + entry->name, error);
  return true;
}

bool EndsWith(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

}  // namespace

Status FileProblem(std::string_view verb, const std::string& path, int error) {
  // Triton's words, with the system's reason added.
  const std::string words = "failed to " + std::string(verb) + " file " + path;
  return Internal(words + ": " + std::generic_category().message(error));
}

Result<std::vector<DirEntry>> ReadDirectory(const std::string& path) {
  const std::unique_ptr<DIR, CloseDir> dir(opendir(path.c_str()));
  if (dir == nullptr) return FileProblem("stat", path, errno);
  std::vector<DirEntry> entries;
  for (;;) {
    errno = 0;
    const dirent* found = readdir(dir.get());
    if (found == nullptr) break;
    const std::string_view name = found->d_name;
    if (name == "." || name == "..") continue;
    DirEntry entry;
    entry.name = name;
    if (Look(dirfd(dir.get()), path, &entry)) entries.push_back(std::move(entry));
  }
  // A listing that broke off is no listing: what it left out must not look as if it were gone.
  if (errno != 0) return FileProblem("read", path, errno);
  std::sort(entries.begin(), entries.end(),
            [](const DirEntry& a, const DirEntry& b) { return a.name < b.name; });
  return entries;
}

bool IsPassing(std::string_view name) {
  if (name.empty() || name.front() == '.') return true;
  if (name == "__pycache__" || name == "4913") return true;  // 4913: vim tries whether it may write
  if (name.front() == '#' && name.back() == '#') return true;
  constexpr std::string_view kEnds[] = {".pyc", "~", ".swp", ".swx", ".tmp", ".part", ".filepart"};
  return std::any_of(std::begin(kEnds), std::end(kEnds),
                     [name](std::string_view end) { return EndsWith(name, end); });
}

}  // namespace pt::repo
