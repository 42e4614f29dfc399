// Names of the protocol for states and settings, the same on REST and gRPC.
//
// Thread rule: pure functions.
#pragma once

#include <optional>
#include <string_view>

#include "base/log.h"
#include "repo/repository.h"

namespace pt::api {

// "READY", "UNAVAILABLE", "LOADING", "UNLOADING".
std::string_view VersionStateName(repo::VersionState state);

// "default", "ISO8601", "json".
std::string_view LogFormatName(LogFormat format);
// Empty for an unknown name.
std::optional<LogFormat> ParseLogFormat(std::string_view name);

}  // namespace pt::api
