// What a configuration needs of a model's directory: its file, its version directories, its labels.
//
// Thread rule: pure functions over the file system; read only.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "repo/config_document.h"
#include "repo/config_text.h"

namespace pt::repo {

// The whole of a regular file. Errors: Internal "failed to open text file for read PATH: REASON",
// also for what is no regular file or larger than `max_bytes`.
Result<std::string> ReadWholeFile(const std::string& path, size_t max_bytes);

struct ConfigFile {
  std::string path;  // empty: there is none
  ConfigFormat format = ConfigFormat::kText;
};

// Every symbolic link resolved. Errors: Internal, as ReadWholeFile's.
Result<std::string> RealPath(const std::string& path);

// configs/<config_name>.* when there is one, else config.*. Errors: InvalidArgument when two files
// claim to be the configuration, or for a config name that is no file name.
Result<ConfigFile> FindConfigFile(const ConfigPlace& place);

// The version directories, by number. Errors: Internal when the directory can't be read.
Result<std::map<int64_t, std::string>> VersionDirectories(const std::string& model_dir);

// `file` of the model's directory, as an absolute path. Errors: Internal when it does not exist,
// Unsupported with `outside` when it leaves the directory, links included.
Result<std::string> PathInModel(const std::string& model_dir, const std::string& file,
                                const std::string& outside);

// One label a line. Errors as ReadWholeFile's.
Result<std::vector<std::string>> ReadLabels(const std::string& path);

}  // namespace pt::repo
