// Router: name and version -> ModelHandle. An immutable table that is swapped whole; lookups never
// wait for a change, and a change never waits for requests.
//
// Thread rule: thread-safe.
// Owner rule: borrows Models; whoever publishes a table keeps its Models until they drained.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "base/snapshot.h"
#include "base/status.h"
#include "infer/model.h"

namespace pt::repo {

struct VersionEntry {
  Model* model = nullptr;  // null while not ready
};

struct NameEntry {
  std::map<int64_t, VersionEntry> versions;  // ascending: the last ready one is the default
};

using RouteTable = std::map<std::string, NameEntry, std::less<>>;

class Router {
 public:
  // `version` empty: the highest ready version. Errors: NotFound and InvalidArgument with the texts
  // of spec/triton-frontend 1.2 and 1.6.
  Result<ModelHandle> Find(std::string_view name, std::string_view version) const;

  void Publish(RouteTable table) { table_.Publish(std::move(table)); }
  std::shared_ptr<const RouteTable> table() const { return table_.Get(); }

 private:
  Snapshot<RouteTable> table_;
};

}  // namespace pt::repo
