// Router: name and version -> ModelHandle. An immutable table that is swapped whole; lookups never
// wait for a change, and a change never waits for requests.
//
// Thread rule: thread-safe.
// Owner rule: borrows Models; whoever publishes a table keeps its Models until the last table that
// names them is gone and they have drained.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/snapshot.h"
#include "base/status.h"
#include "infer/model.h"

namespace pt::repo {

struct VersionEntry {
  Model* model = nullptr;  // null while not ready
  // Dropped with the last table that names the model: whoever published it waits for that before it
  // drains the model, because until then a lookup may be about to acquire it.
  std::shared_ptr<const void> hold;
};

struct NameEntry {
  // Models of this name that serve: with namespaces there may be several, and no request says which
  // it means.
  int serving_models = 0;
  std::map<int64_t, VersionEntry> versions;  // ascending: the last ready one is the default
};

using RouteTable = std::map<std::string, NameEntry, std::less<>>;

class Router {
 public:
  // `version` empty: the highest ready version. Errors, with Triton's texts: NotFound for an
  // unknown name or version and when no version is ready; Unavailable for a version that is known
  // but not ready; InvalidArgument for a version that is no integer, and for a name that models of
  // several namespaces have.
  Result<ModelHandle> Find(std::string_view name, std::string_view version) const;

  void Publish(RouteTable table) { table_.Publish(std::move(table)); }
  std::shared_ptr<const RouteTable> table() const { return table_.Get(); }

 private:
  Snapshot<RouteTable> table_;
};

}  // namespace pt::repo
