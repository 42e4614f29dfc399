// Request headers with a meaning to the REST edge.
//
// Thread rule: pure functions.
#pragma once

#include <cstdint>
#include <optional>

#include "api/http_call.h"
#include "base/clock.h"
#include "base/status.h"

namespace pt::api {

// Inference-Header-Content-Length: bytes of JSON before the binary part. Empty: no such header.
// Errors: InvalidArgument for anything but a number that is not negative.
Result<std::optional<int64_t>> InferenceHeaderLength(const HttpRequestHead& head);

// x-request-timeout-ms: the client's own deadline, counted from `now`; kNoDeadline without it.
// Errors: InvalidArgument for anything but a positive number.
Result<TimePoint> RequestDeadline(const HttpRequestHead& head, TimePoint now);

}  // namespace pt::api
