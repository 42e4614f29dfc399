// Strict base64 (RFC 4648 section 4): the standard alphabet, padded, nothing else between.
//
// Thread rule: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace pt::wire {

// Errors: InvalidArgument naming the place of the first wrong character, or the length.
Result<std::string> DecodeBase64(std::string_view text);

}  // namespace pt::wire
