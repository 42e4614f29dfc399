#include "repo/fingerprint.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "repo/config_document.h"
#include "repo/dir_reader.h"

namespace pt::repo {
namespace {

// A model's files are few; more than this is a link that leads out into a whole file system.
constexpr int kMaxEntries = 1000000;

bool IsConfig(std::string_view name) {
  return name == "config.pbtxt" || name == "config.json" || name == "config.yaml" ||
         name == "config.yml" || name == "configs";
}

bool StartsWithDigit(std::string_view name) { return name.front() >= '0' && name.front() <= '9'; }

std::chrono::nanoseconds TimeOf(const timespec& time) {
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

// FNV-1a: made for telling changes, not against those who craft them.
class Hash {
 public:
  void Add(std::string_view bytes) {
    for (const char byte : bytes) {
      value_ = (value_ ^ static_cast<unsigned char>(byte)) * 0x100000001b3ULL;
    }
    Add(bytes.size());
  }
  void Add(uint64_t number) {
    for (int byte = 0; byte < 8; ++byte, number >>= 8U) {
      value_ = (value_ ^ (number & 0xffU)) * 0x100000001b3ULL;
    }
  }
  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0xcbf29ce484222325ULL;
};

class Walker {
 public:
  explicit Walker(const DirVisitor& visit) : visit_(visit) {}

  Result<TreeLook> Walk(const std::string& model_dir) {
    PT_ASSIGN_OR_RETURN(const std::vector<DirEntry> entries, Enter(model_dir));
    TreeLook look;
    Hash config;
    Hash shared;
    for (const DirEntry& entry : entries) {
      if (IsPassing(entry.name)) continue;
      const std::optional<int64_t> version = ParseVersionName(entry.name);
      if (entry.is_directory() && version) {
        Hash hash;
        PT_RETURN_IF_ERROR(Add(model_dir, entry, &hash));
        look.fingerprint.versions[*version] = hash.value();
        continue;
      }
      if (entry.is_directory() && StartsWithDigit(entry.name)) continue;  // staged, no version yet
      PT_RETURN_IF_ERROR(Add(model_dir, entry, IsConfig(entry.name) ? &config : &shared));
    }
    look.fingerprint.config = config.value();
    look.fingerprint.shared = shared.value();
    look.newest_change = newest_;
    return look;
  }

 private:
  Result<std::vector<DirEntry>> Enter(const std::string& path) {
    if (visit_) visit_(path);
    struct stat info = {};
    if (stat(path.c_str(), &info) != 0) return FileProblem("stat", path, errno);
    newest_ = std::max(newest_, TimeOf(info.st_ctim));
    return ReadDirectory(path);
  }

  Status Add(const std::string& parent, const DirEntry& entry, Hash* hash) {
    PT_RETURN_IF_ERROR(entry.problem);
    const std::string path = parent + "/" + entry.name;
    if (++entries_ > kMaxEntries) {
      return Internal("expected at most " + std::to_string(kMaxEntries) + " files, got more at " +
                      path);
    }
    hash->Add(entry.name);
    if (entry.is_directory()) return AddDirectory(path, entry, hash);
    hash->Add(static_cast<uint64_t>(entry.info.st_size));
    hash->Add(static_cast<uint64_t>(TimeOf(entry.info.st_mtim).count()));
    hash->Add(static_cast<uint64_t>(TimeOf(entry.info.st_ctim).count()));
    hash->Add(entry.info.st_ino);
    newest_ = std::max({newest_, TimeOf(entry.info.st_mtim), TimeOf(entry.info.st_ctim)});
    return {};
  }

  Status AddDirectory(const std::string& path, const DirEntry& entry, Hash* hash) {
    const std::pair<dev_t, ino_t> self{entry.info.st_dev, entry.info.st_ino};
    if (std::find(inside_.begin(), inside_.end(), self) != inside_.end()) {
      return Internal("expected a tree, got links that lead in circles at " + path);
    }
    if (inside_.size() >= kMaxDirDepth) {
      return Internal("expected at most " + std::to_string(kMaxDirDepth) +
                      " levels of directories, got more at " + path);
    }
    inside_.push_back(self);
    PT_ASSIGN_OR_RETURN(const std::vector<DirEntry> entries, Enter(path));
    hash->Add("/");
    for (const DirEntry& below : entries) {
      if (IsPassing(below.name)) continue;
      PT_RETURN_IF_ERROR(Add(path, below, hash));
    }
    hash->Add("..");
    inside_.pop_back();
    return {};
  }

  const DirVisitor& visit_;
  std::vector<std::pair<dev_t, ino_t>> inside_;
  std::chrono::nanoseconds newest_{0};
  int entries_ = 0;
};

}  // namespace

Result<TreeLook> LookAtTree(const std::string& model_dir, const DirVisitor& visit) {
  return Walker(visit).Walk(model_dir);
}

}  // namespace pt::repo
