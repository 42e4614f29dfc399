// KeptDirectory: a new directory of this process for files that nobody else needs. It is removed
// with this object; what a killed process left is removed by the next one that makes a directory of
// the same kind: each is locked (flock) as long as its process lives, however that ends.
//
// Thread rule: as a const value. Owner rule: its maker's; must outlive what uses its files.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"
#include "base/unique_fd.h"

namespace pt {

class KeptDirectory {
 public:
  // Removes those of this user whose process has gone; without a lock file they are somebody
  // else's. `parent` as below.
  static void Sweep(const std::string& parent, std::string_view prefix);
  // Makes <parent>/<prefix>XXXXXX, for this user alone, and sweeps that prefix.
  // `parent`: empty: $TMPDIR, or /tmp. Errors: Internal naming the path.
  static Result<std::unique_ptr<KeptDirectory>> Create(const std::string& parent,
                                                       std::string_view prefix);
  ~KeptDirectory();
  KeptDirectory(const KeptDirectory&) = delete;
  KeptDirectory& operator=(const KeptDirectory&) = delete;

  const std::string& path() const { return path_; }

 private:
  KeptDirectory(std::string path, UniqueFd lock) : path_(std::move(path)), lock_(std::move(lock)) {}

  const std::string path_;
  const UniqueFd lock_;
};

}  // namespace pt
