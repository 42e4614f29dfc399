// Reads the body of generate and generate_stream: one JSON object whose members are the model's
// inputs and, all others, request parameters (spec/triton-frontend 1.12).
//
// Thread rule: pure.
#pragma once

#include <string_view>

#include "base/block.h"
#include "base/status.h"
#include "infer/request.h"

namespace pt::api {

// Fills id, parameters and inputs, validated. Errors: InvalidArgument with text and path.
Status FillGenerate(std::string_view body, int max_json_depth, BlockPool* pool,
                    InferRequest* request);

}  // namespace pt::api
