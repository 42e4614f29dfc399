// Models that a caller's words name by their directory, outside of every model repository
// (SageMaker's multi-model endpoint).
//
// Thread rule: pure functions of the file system; they may block on it.
#pragma once

#include <string>

#include "base/status.h"

namespace pt::repo {

// The model's directory: the only one in `url`, or `url` itself when it holds a configuration.
// Errors: InvalidArgument when there is none, or when it lies outside of `root` (links followed):
// whoever may name a directory must not have any directory's code run.
Result<std::string> FindMappedModel(const std::string& url, const std::string& root);

}  // namespace pt::repo
