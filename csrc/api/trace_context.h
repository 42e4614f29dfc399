// The W3C trace context of a request: the headers `traceparent` and `tracestate`
// (https://www.w3.org/TR/trace-context/).
//
// Thread rule: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "infer/trace.h"

namespace pt::api {

inline constexpr std::string_view kTraceParent = "traceparent";
inline constexpr std::string_view kTraceState = "tracestate";

// `span_id` 0 when `parent` is malformed: a trace begins here then, and `state` is left out.
TraceContext ParseTraceContext(std::string_view parent, std::string_view state);

// "00-<trace id>-<span id>-01"
std::string WriteTraceParent(const TraceContext& context, uint64_t span_id);

std::string HexOf(const std::array<uint8_t, 16>& trace_id);
std::string HexOf(uint64_t span_id);

}  // namespace pt::api
