#include "repo/layout.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "repo/config_document.h"
#include "repo/dir_reader.h"

namespace pt::repo {
namespace {

bool IsAllDigits(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Directories with a job of their own.
bool IsReserved(std::string_view name) {
  return name == "warmup" || name == "initial_state" || name == "configs";
}

std::string WhyNoVersion(const std::string& name) {
  const std::string start = "ignore version directory '" + name + "' which ";
  if (!IsAllDigits(name)) return start + "fails to convert to integral number";
  if (name.front() == '0') return start + "contains leading zeros in its directory name";
  return start + "is larger than any version number";
}

Status AddModels(const std::string& repository, std::vector<ModelPlace>* models) {
  PT_ASSIGN_OR_RETURN(const std::vector<DirEntry> entries, ReadDirectory(repository));
  for (const DirEntry& entry : entries) {
    if (entry.name.front() == '.') continue;
    if (entry.problem.ok() && !entry.is_directory()) continue;
    models->push_back({entry.name, repository, repository + "/" + entry.name, entry.problem, {}});
  }
  return {};
}

}  // namespace

Status DoubleModel() { return InvalidArgument("model appears in two or more repositories"); }

Layout ScanRepositories(const std::vector<std::string>& repositories, Namespacing namespacing) {
  Layout layout;
  for (const std::string& repository : repositories) {
    const Status status = AddModels(repository, &layout.models);
    if (!status.ok()) layout.unreadable.push_back({repository, status});
  }
  std::stable_sort(layout.models.begin(), layout.models.end(),
                   [](const ModelPlace& a, const ModelPlace& b) { return a.name < b.name; });
  if (namespacing == Namespacing::kOff) return layout;
  for (ModelPlace& place : layout.models) place.space = place.repository;
  return layout;
}

Result<std::vector<ModelPlace>> FindModel(const std::vector<std::string>& repositories,
                                          const std::string& name) {
  std::vector<ModelPlace> places;
  Status unreadable;
  for (const std::string& repository : repositories) {
    std::string path = repository;
    path.append("/").append(name);
    struct stat info = {};
    if (stat(path.c_str(), &info) == 0) {
      if (S_ISDIR(info.st_mode)) places.push_back({name, repository, path, {}, {}});
      continue;
    }
    const int error = errno;
    struct stat other = {};
    if (lstat(path.c_str(), &other) == 0) {
      places.push_back({name, repository, path, FileProblem("stat", path, error), {}});
      continue;
    }
    if (stat(repository.c_str(), &other) != 0) {
      unreadable = FileProblem("stat", repository, errno);
    } else if (error != ENOENT) {
      unreadable = FileProblem("stat", path, error);
    }
  }
  // What one repository has is served, whatever is wrong with another.
  if (places.empty() && !unreadable.ok()) return unreadable;
  return places;
}

Status CheckModelName(std::string_view name) {
  const bool is_blank =
      std::all_of(name.begin(), name.end(), [](char c) { return c == ' ' || c == '\t'; });
  if (is_blank) {
    return InvalidArgument("Model name cannot be empty. Please enter a valid name to deploy.");
  }
  const bool leads_away = name == ".." || name == "." || name.find('/') != std::string_view::npos ||
                          name.find('\0') != std::string_view::npos;
  if (!leads_away) return {};
  return InvalidArgument("invalid model name '" + std::string(name) +
                         "', model name must not contain path traversal characters");
}

Result<VersionListing> ListVersions(const std::string& model_dir) {
  PT_ASSIGN_OR_RETURN(const std::vector<DirEntry> entries, ReadDirectory(model_dir));
  VersionListing listing;
  for (const DirEntry& entry : entries) {
    const std::optional<int64_t> version = ParseVersionName(entry.name);
    if (version && !entry.problem.ok()) return entry.problem;
    if (!entry.is_directory() || IsPassing(entry.name) || IsReserved(entry.name)) continue;
    if (version) {
      listing.versions.push_back(*version);
    } else {
      listing.warnings.push_back(WhyNoVersion(entry.name));
    }
  }
  std::sort(listing.versions.begin(), listing.versions.end());
  return listing;
}

}  // namespace pt::repo
