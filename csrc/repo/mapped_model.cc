#include "repo/mapped_model.h"

#include <climits>
#include <cstdlib>
#include <memory>
#include <optional>
#include <vector>

#include "repo/config_files.h"
#include "repo/dir_reader.h"

namespace pt::repo {
namespace {

Status NotFoundAt(const std::string& url) {
  return InvalidArgument("failed to register '" + url + "', repository not found");
}

// Where `url` leads, links followed.
Result<std::string> FindRepository(const std::string& root, const std::string& url) {
  const auto top = RealPath(root);
  const auto path = RealPath(url);
  if (!path.ok()) return NotFoundAt(url);
  if (top.ok() && path->starts_with(*top + "/")) return *path;
  return InvalidArgument("failed to register '" + url + "', expected a directory in '" + root +
                         "'");
}

// The model's directory: the repository's only one, or the repository itself.
Result<std::string> FindModelDir(const std::string& url, const std::string& repository) {
  const Result<std::vector<DirEntry>> entries = ReadDirectory(repository);
  if (!entries.ok()) return NotFoundAt(url);
  std::string only;
  int directories = 0;
  for (const DirEntry& entry : *entries) {
    if (entry.is_file() && entry.name.starts_with("config.")) return repository;
    if (!entry.is_directory() || IsPassing(entry.name)) continue;
    only = entry.name;
    ++directories;
  }
  if (directories == 1) return repository + "/" + only;
  return InvalidArgument("failed to register '" + url + "', expected one model in it, got " +
                         std::to_string(directories));
}

}  // namespace

Result<std::string> FindMappedModel(const std::string& url, const std::string& root) {
  PT_ASSIGN_OR_RETURN(const std::string repository, FindRepository(root, url));
  PT_ASSIGN_OR_RETURN(const std::string directory, FindModelDir(url, repository));
  return FindRepository(root, directory);  // it may be a link, too
}

}  // namespace pt::repo
