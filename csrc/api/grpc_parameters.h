// The parameters of gRPC inference requests, their inputs and outputs (spec/triton-frontend 2.6).
//
// Thread rule: pure functions.
#pragma once

#include <cstdint>
#include <span>

#include "api/region_use.h"
#include "base/status.h"
#include "infer/request.h"
#include "wire/infer_proto.h"

namespace pt::api {

// Sets what the request's parameters say; custom ones go to request->parameters.
// Errors: InvalidArgument for a wrong type or value, or a reserved name.
Status ApplyRequestParameters(std::span<const wire::ParameterView> parameters,
                              InferRequest* request, bool* wants_empty_final);

// What a tensor's parameters say about shared memory. Errors: InvalidArgument for a wrong type or a
// negative number.
Result<RegionWish> RegionOf(std::span<const wire::ParameterView> parameters);

// The `classification` parameter of an output; 0: there is none.
// Errors: InvalidArgument when it is no positive integer.
Result<uint32_t> ClassesOf(std::span<const wire::ParameterView> parameters);

}  // namespace pt::api
