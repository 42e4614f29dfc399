#include "repo/model_files.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <utility>

#include "base/unique_fd.h"
#include "repo/config_document.h"
#include "repo/dir_reader.h"

namespace pt::repo {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "pytriton-models-";
constexpr mode_t kPrivateDir = 0700;

void RemoveTree(const std::string& path) {
  std::error_code ignored;  // what can't be removed is swept by a later server
  fs::remove_all(path, ignored);
}

Status Cancelled(const LoadControl* control) {
  return control == nullptr ? Status() : control->cancelled().value_or(Status());
}

struct CopyJob {
  int from;
  int to;
  const std::string& path;
  const LoadControl* control;
};

Status CopyBytes(const CopyJob& job) {
  const auto& [from, to, path, control] = job;
  if (ioctl(to, FICLONE, from) == 0) return {};
  for (;;) {
    PT_RETURN_IF_ERROR(Cancelled(control));
    constexpr size_t kPart = size_t{64} << 20;
    const ssize_t count = copy_file_range(from, nullptr, to, nullptr, kPart, 0);
    if (count == 0) return {};
    if (count < 0) break;
  }
  // Another file system, or one that can't: by hand, from where the kernel's copy stopped.
  std::vector<char> buffer(size_t{1} << 20);
  for (;;) {
    PT_RETURN_IF_ERROR(Cancelled(control));
    const ssize_t count = read(from, buffer.data(), buffer.size());
    if (count == 0) return {};
    if (count < 0) return FileProblem("read", path, errno);
    for (ssize_t done = 0; done < count;) {
      const ssize_t part = write(to, buffer.data() + done, static_cast<size_t>(count - done));
      if (part < 0) return FileProblem("copy", path, errno);
      done += part;
    }
  }
}

Status CopyFile(const std::string& from, const std::string& to, const LoadControl* control) {
  // Non-blocking: a FIFO that took the file's place must not hold this thread.
  const UniqueFd source(open(from.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!source.is_open()) return FileProblem("open", from, errno);
  struct stat info = {};
  if (fstat(source.get(), &info) != 0) return FileProblem("stat", from, errno);
  if (!S_ISREG(info.st_mode)) return {};
  const mode_t mode = (info.st_mode & 0700U) | 0600U;
  const UniqueFd target(open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!target.is_open()) return FileProblem("create", to, errno);
  return CopyBytes({source.get(), target.get(), from, control});
}

class Copier {
 public:
  Copier(const std::vector<int64_t>& versions, const LoadControl* control)
      : versions_(versions), control_(control) {}

  Status CopyTree(const std::string& from, const std::string& to) {
    PT_ASSIGN_OR_RETURN(const std::vector<DirEntry> entries, ReadDirectory(from));
    if (mkdir(to.c_str(), kPrivateDir) != 0 && errno != EEXIST) {
      return FileProblem("create", to, errno);
    }
    for (const DirEntry& entry : entries) {
      if (entry.name == "__pycache__" || entry.name == ".git") continue;
      if (inside_.empty() && IsOtherVersion(entry)) continue;
      if (!entry.problem.ok()) {
        if (IsPassing(entry.name)) continue;  // an editor's lock is a link to nowhere
        return entry.problem;
      }
      PT_RETURN_IF_ERROR(CopyEntry(entry, from + "/" + entry.name, to + "/" + entry.name));
    }
    return {};
  }

 private:
  // Directories that are no version ("1_tmp") may be anything: they stay behind too.
  bool IsOtherVersion(const DirEntry& entry) const {
    if (!entry.is_directory() || entry.name.front() < '0' || entry.name.front() > '9') return false;
    const std::optional<int64_t> version = ParseVersionName(entry.name);
    return !version || std::find(versions_.begin(), versions_.end(), *version) == versions_.end();
  }

  Status CopyEntry(const DirEntry& entry, const std::string& from, const std::string& to) {
    if (entry.is_file()) return CopyFile(from, to, control_);
    if (!entry.is_directory()) return {};
    const std::pair<dev_t, ino_t> self{entry.info.st_dev, entry.info.st_ino};
    if (inside_.size() >= kMaxDirDepth ||
        std::find(inside_.begin(), inside_.end(), self) != inside_.end()) {
      return Internal("expected a tree, got links that lead in circles at " + from);
    }
    inside_.push_back(self);
    PT_RETURN_IF_ERROR(CopyTree(from, to));
    inside_.pop_back();
    return {};
  }

  const std::vector<int64_t>& versions_;
  const LoadControl* const control_;
  std::vector<std::pair<dev_t, ino_t>> inside_;
};

// The path below the model's directory, normalised. Errors: it would lead outside, or to nothing.
Result<std::string> ConfinedPath(const std::string& given) {
  const fs::path plain = fs::path(given).relative_path().lexically_normal();
  const std::string text = plain.string();
  const bool leads_out = text.starts_with("..") && (text.size() == 2 || text[2] == '/');
  if (leads_out || text.find('\0') != std::string::npos) {
    return InvalidArgument("Invalid file parameter 'file:" + given + "' with normalized path '" +
                           text + "' must stay within model directory.");
  }
  if (text.empty() || text == "." || text.back() == '/') {
    return InvalidArgument("Invalid file parameter 'file:" + given + "': expected a file's path");
  }
  return text;
}

Status WriteFile(const std::string& path, std::string_view bytes) {
  std::error_code error;
  fs::create_directories(fs::path(path).parent_path(), error);
  if (error) return FileProblem("create", path, error.value());
  const UniqueFd target(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!target.is_open()) return FileProblem("create", path, errno);
  while (!bytes.empty()) {
    const ssize_t part = write(target.get(), bytes.data(), bytes.size());
    if (part < 0) return FileProblem("write", path, errno);
    bytes.remove_prefix(static_cast<size_t>(part));
  }
  return {};
}

}  // namespace

Status CheckUploadPath(const std::string& path) { return ConfinedPath(path).status(); }

ModelFiles::~ModelFiles() { RemoveTree(fs::path(dir_).parent_path().string()); }

Result<std::unique_ptr<FilesArea>> FilesArea::Create(const std::string& parent) {
  PT_ASSIGN_OR_RETURN(auto home, KeptDirectory::Create(parent, kPrefix));
  return std::unique_ptr<FilesArea>(new FilesArea(std::move(home)));
}

// <area>/<random>/<name>: the directory is named as in the repository, because backends show it.
Result<std::string> FilesArea::MakePlace(const std::string& name) {
  std::string outer = dir() + "/XXXXXX";
  if (mkdtemp(outer.data()) == nullptr) return FileProblem("create", outer, errno);
  return outer + "/" + name;
}

Result<ModelFilesRef> FilesArea::Copy(const std::string& model_dir,
                                      const std::vector<int64_t>& versions,
                                      const LoadControl* control) {
  PT_ASSIGN_OR_RETURN(std::string place, MakePlace(fs::path(model_dir).filename().string()));
  auto files = std::make_shared<const ModelFiles>(std::move(place));  // removed on failure, too
  PT_RETURN_IF_ERROR(Copier(versions, control).CopyTree(model_dir, files->dir()));
  return ModelFilesRef(files);
}

Result<ModelFilesRef> FilesArea::Write(const std::string& name,
                                       const std::map<std::string, std::string>& files) {
  PT_ASSIGN_OR_RETURN(std::string place, MakePlace(name));
  auto written = std::make_shared<const ModelFiles>(std::move(place));
  for (const auto& [given, bytes] : files) {
    PT_ASSIGN_OR_RETURN(const std::string path, ConfinedPath(given));
    PT_RETURN_IF_ERROR(WriteFile(written->dir() + "/" + path, bytes));
  }
  return ModelFilesRef(written);
}

}  // namespace pt::repo
