// TraceHandoff: what a model gives back of its request's trace with the requests it makes itself
// (backend/worker_trace.h writes it). It comes from a model: nothing in it is trusted.
//
// Thread rule: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "infer/parameter.h"
#include "infer/trace.h"

namespace pt::api {

struct TraceHandoff {
  uint64_t id = 0;  // of the trace that the request belongs to
  bool has_timestamps = false;
  bool has_tensors = false;
  uint32_t log_frequency = 0;
  TraceContext context;  // span_id 0: no spans are made
};

// None: `text` is no such thing.
std::optional<TraceHandoff> ReadTraceHandoff(std::string_view text);

// Takes it out of the parameters of a request that a model makes. None: it isn't part of a trace.
std::optional<TraceHandoff> TakeTraceHandoff(Parameters* parameters);

}  // namespace pt::api
