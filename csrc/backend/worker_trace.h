// What a worker's model is told of its request's trace (pb_utils' InferenceTrace): it travels as
// one more parameter of the request, and comes back with the requests that the model makes in it
// (api/trace_handoff.h reads it).
//
// Thread rule: pure functions.
#pragma once

#include <string>

#include "infer/request.h"

namespace pt::backend {

// Empty for a request that isn't traced, else kTraceParameter: "ID LEVELS FREQUENCY[ CONTEXT]", the
// trace's number, 1 for time stamps + 2 for tensors, and how many traces a file has; with spans
// CONTEXT is a JSON object with `traceparent` and, if there is one, `tracestate`.
Parameters TraceParameter(const InferRequest& request);

}  // namespace pt::backend
