// Options of model repositories, checked together.
//
// Thread rule: a value.
#pragma once

#include "base/options.h"
#include "base/status.h"
#include "repo/model_repositories.h"

namespace pt::server {

// Without a repository: an empty list. Errors: InvalidArgument, in Triton's words, for options that
// contradict each other.
Result<repo::RepositoryOptions> ReadRepositories(const OptionValues& options);

}  // namespace pt::server
