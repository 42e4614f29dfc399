// The text form of model configurations as their JSON form, for programs that don't load models.
//
// Thread rule: a pure function.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace pt::server {

// `text` as config.pbtxt has it, in Triton's JSON form: snake_case, defaults written. `path` is for
// messages. Errors: Internal naming line and column.
Result<std::string> ConfigTextToJson(std::string_view text, const std::string& path);

}  // namespace pt::server
