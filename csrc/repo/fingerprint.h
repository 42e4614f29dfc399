// Fingerprint: what a model's directory looked like: names, sizes, times and inodes of everything
// that counts, in the parts that a reload decides by. Equal fingerprints: nothing changed.
//
// What doesn't count: directories' own times, hidden entries, Python's caches, temporaries of
// editors and copy tools, directories that are no version ("1_tmp").
//
// Thread rule: a value; TakeFingerprint is a pure function of the file system.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "base/status.h"

namespace pt::repo {

struct Fingerprint {
  uint64_t config = 0;                   // config.pbtxt and its other forms, configs/
  uint64_t shared = 0;                   // all else beside the version directories
  std::map<int64_t, uint64_t> versions;  // a hash each

  friend bool operator==(const Fingerprint&, const Fingerprint&) = default;
};

struct TreeLook {
  Fingerprint fingerprint;
  // The newest change of anything in the tree, by the file system's clock.
  std::chrono::nanoseconds newest_change{0};
};

using DirVisitor = std::function<void(const std::string& path)>;

// `visit` (may be empty) is called for every directory looked at. Errors: Internal, naming the
// entry: a dangling link, links in circles, no permission, a tree without end.
Result<TreeLook> LookAtTree(const std::string& model_dir, const DirVisitor& visit);

}  // namespace pt::repo
