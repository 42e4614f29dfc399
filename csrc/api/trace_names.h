// What Triton calls the moments and the tensors of a trace, and how texts are written.
//
// Thread rule: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "infer/trace.h"

namespace pt::api {

std::string_view EventName(TraceEvent event, TraceFront front);
std::string_view ActivityName(TraceActivity activity);
// A quoted JSON string of valid UTF-8, whatever a client sent: readers refuse all else.
std::string JsonText(std::string_view text);

}  // namespace pt::api
