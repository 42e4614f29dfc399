#include "base/kept_directory.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

namespace pt {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kLockName = ".lock";

Status Problem(const std::string& what, const std::string& path, int error) {
  return Internal("failed to " + what + " " + path + ": " + std::strerror(error));
}

void RemoveTree(const std::string& path) {
  std::error_code ignored;  // what can't be removed is swept by a later process
  fs::remove_all(path, ignored);
}

// A lock file that nobody sees before it is locked: made beside, then moved to its name.
Result<UniqueFd> Lock(const std::string& dir) {
  const std::string path = dir + "/" + std::string(kLockName);
  const std::string making = path + ".new";
  UniqueFd lock(open(making.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!lock.is_open()) return Problem("create", making, errno);
  if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) return Problem("lock", making, errno);
  if (rename(making.c_str(), path.c_str()) != 0) return Problem("rename", making, errno);
  return lock;
}

bool IsOwnDirectory(const std::string& path) {
  struct stat info = {};
  return lstat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == geteuid();
}

std::string ParentOf(const std::string& given) {
  if (!given.empty()) return given;
  const char* temporary = getenv("TMPDIR");
  return temporary != nullptr && *temporary == '/' ? temporary : "/tmp";
}

}  // namespace

void KeptDirectory::Sweep(const std::string& parent, std::string_view prefix) {
  std::error_code error;
  const fs::directory_iterator end;
  for (fs::directory_iterator at(ParentOf(parent), error); !error && at != end;
       at.increment(error)) {
    const std::string path = at->path().string();
    if (!at->path().filename().string().starts_with(prefix) || !IsOwnDirectory(path)) continue;
    const std::string lock_path = path + "/" + std::string(kLockName);
    const UniqueFd lock(open(lock_path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
    if (!lock.is_open() || flock(lock.get(), LOCK_EX | LOCK_NB) != 0) continue;
    RemoveTree(path);
  }
}

Result<std::unique_ptr<KeptDirectory>> KeptDirectory::Create(const std::string& parent,
                                                             std::string_view prefix) {
  Sweep(parent, prefix);
  std::string path = ParentOf(parent) + "/" + std::string(prefix) + "XXXXXX";
  if (mkdtemp(path.data()) == nullptr) return Problem("create", path, errno);
  Result<UniqueFd> lock = Lock(path);
  if (!lock.ok()) {
    RemoveTree(path);
    return lock.status();
  }
  return std::unique_ptr<KeptDirectory>(
      new KeptDirectory(std::move(path), std::move(lock).value()));
}

KeptDirectory::~KeptDirectory() { RemoveTree(path_); }

}  // namespace pt
