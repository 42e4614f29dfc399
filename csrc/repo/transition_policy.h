// Decides what a load of a model does to each of its versions. Pure: a snapshot in, a plan out.
//
// A version that serves is touched only when its own files, the files that all versions share, or
// the configuration changed; it goes only after everything that shall be loaded is ready.
#pragma once

#include <cstdint>
#include <vector>

#include "repo/fingerprint.h"

namespace pt::repo {

struct VersionsServed {
  std::vector<int64_t> versions;  // ascending
  Fingerprint fingerprint;        // of the tree they were loaded from
};

struct VersionsFound {
  std::vector<int64_t> versions;  // what the version policy selects, ascending
  Fingerprint fingerprint;
  bool is_config_changed = false;  // anything in it, other than which versions it selects
};

struct VersionPlan {
  std::vector<int64_t> load;    // beside what serves
  std::vector<int64_t> keep;    // untouched
  std::vector<int64_t> retire;  // once the load is done; what is loaded anew is not listed

  friend bool operator==(const VersionPlan&, const VersionPlan&) = default;
};

VersionPlan PlanVersions(const VersionsServed& served, const VersionsFound& found);

}  // namespace pt::repo
