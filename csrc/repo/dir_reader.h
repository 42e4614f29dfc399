// Reads directories that operators and copy tools change meanwhile: what is there, what counts, and
// what must never be opened.
//
// Thread rule: pure functions of the file system.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace pt::repo {

// Directories inside of directories that a model's files may have.
inline constexpr size_t kMaxDirDepth = 64;

struct DirEntry {
  std::string name;
  struct stat info = {};  // of what a symbolic link leads to
  Status problem;         // a link that leads nowhere or in circles, an entry without permission

  bool is_directory() const { return problem.ok() && S_ISDIR(info.st_mode); }
  bool is_file() const { return problem.ok() && S_ISREG(info.st_mode); }
};

// The entries by name, without "." and ".." and those that vanished meanwhile. Errors: Internal
// "failed to stat file PATH" when there is no such directory, and the system's reason otherwise.
Result<std::vector<DirEntry>> ReadDirectory(const std::string& path);

// Names that never count as content: hidden entries, Python's caches, what editors and copy tools
// leave while they work.
bool IsPassing(std::string_view name);

// "failed to read PATH: No such file or directory".
Status FileProblem(std::string_view verb, const std::string& path, int error);

}  // namespace pt::repo
