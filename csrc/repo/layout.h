// Layout: one look at all repositories: which models there are, where, and what could not be read.
// A repository that can't be read is an error of its own, never an empty list.
//
// Thread rule: pure functions of the file system.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "repo/model_key.h"

namespace pt::repo {

struct ModelPlace {
  std::string name;
  std::string repository;  // as it was given
  std::string path;        // <repository>/<name>
  Status problem;          // the entry can't be followed; concerns this model only
  std::string space = {};  // its repository where namespaces are on, else empty

  std::string key() const { return ModelKey(space, name); }
};

struct UnreadableRepository {
  std::string repository;
  Status problem;
};

struct Layout {
  std::vector<ModelPlace> models;  // by name, then by repository in the order given
  std::vector<UnreadableRepository> unreadable;
};

// Why a model is not loaded whose name two repositories have; Triton's words.
Status DoubleModel();

enum class Namespacing { kOff, kOn };

// Hidden entries and plain files are no models.
Layout ScanRepositories(const std::vector<std::string>& repositories,
                        Namespacing namespacing = Namespacing::kOff);

// Where the model of that name is: none, one, or several repositories have it. Errors: where none
// has it, what ScanRepositories would call unreadable.
Result<std::vector<ModelPlace>> FindModel(const std::vector<std::string>& repositories,
                                          const std::string& name);

// Whether a name from a client may become part of a path. Errors: InvalidArgument, Triton's texts.
Status CheckModelName(std::string_view name);

struct VersionListing {
  std::vector<int64_t> versions;      // ascending
  std::vector<std::string> warnings;  // why a directory is no version
};

// Errors: Internal when the directory can't be read or a version directory can't be followed.
Result<VersionListing> ListVersions(const std::string& model_dir);

}  // namespace pt::repo
