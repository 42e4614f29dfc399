// Traces as OpenTelemetry spans, in the JSON of OTLP/HTTP (spec/triton-frontend 6.3): of each
// trace InferRequest > the model's name > compute, with the moments as events.
//
// Thread rule: pure functions.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "infer/trace.h"

namespace pt::api {

// An ExportTraceServiceRequest. `resource`: "key=value"; without a service.name it is
// "triton-inference-server".
std::string SpansToJson(const std::vector<std::unique_ptr<Trace>>& traces,
                        const std::vector<std::string>& resource, const std::string& version);

}  // namespace pt::api
