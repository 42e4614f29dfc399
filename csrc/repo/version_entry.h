// VersionTable::Entry: one generation of one version, in the table.
//
// Thread rule and owner rule: the table's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "repo/version_table.h"

namespace pt::repo {

// In kLoading it belongs to whoever loads it, in kUnloading to its retirement; both
// may keep a pointer to it without the lock.
struct VersionTable::Entry {
  std::string key;
  int64_t version = 0;
  uint64_t generation = 0;
  Owner owner = Owner::kCode;
  VersionState state = VersionState::kLoading;
  bool has_failed = false;
  std::string reason;
  Trace trace = Trace::kUnloaded;
  std::vector<std::function<void()>> gone;  // run when it has gone
  std::shared_ptr<const void> files;        // outlives the model
  std::unique_ptr<Model> model;             // while ready or unloading
  Hold hold;                                // while ready
  uint64_t limit = 0;                       // the alarm of its drain; 0: none
};

}  // namespace pt::repo
