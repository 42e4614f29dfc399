// Base64 (RFC 4648 section 4) as tools write it: the standard alphabet, in lines or not, padded or
// not. Nothing else is skipped.
//
// Thread rule: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace pt::wire {

// Errors: InvalidArgument naming the place of the first wrong character, or what is wrong with
// the end.
Result<std::string> DecodeBase64(std::string_view text);

}  // namespace pt::wire
