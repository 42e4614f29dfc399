// The place in a distributed trace from which a worker's model goes on (pb_utils'
// InferenceTrace.get_context): it travels as one more parameter of its request.
//
// Thread rule: pure functions.
#pragma once

#include <string>

#include "infer/request.h"

namespace pt::backend {

// Empty without spans, else one parameter: JSON text with `traceparent` and, if there is one,
// `tracestate`. Clients can't send one of that name: names with this beginning are refused.
Parameters TraceParameter(const InferRequest& request);

}  // namespace pt::backend
