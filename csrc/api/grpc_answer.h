// From an InferResponse to the bytes of a ModelInferResponse or ModelStreamInferResponse
// (spec/triton-frontend 3.3 and 3.4).
//
// Thread rule: pure functions; on the thread that answers.
#pragma once

#include <string_view>

#include "api/grpc_request.h"
#include "base/block.h"
#include "base/status.h"
#include "infer/response.h"

namespace pt::api {

// One ModelInferResponse. Outputs that the client did not want are left out; classified ones are
// replaced in `response`. REQUIRES: response->status is OK.
// Errors: InvalidArgument when it is larger than gRPC allows or can't be classified; Unavailable.
Result<SliceList> EncodeAnswer(const AnswerPlan& plan, InferResponse* response, BlockPool* pool);

// One ModelStreamInferResponse with the parameter triton_final_response. Errors as above.
Result<SliceList> EncodeStreamAnswer(const AnswerPlan& plan, InferResponse* response,
                                     Finality finality, BlockPool* pool);

// A ModelStreamInferResponse without outputs: an error of the model, or the end of a request that
// has nothing more to say (no `error_message`). It names the version that was asked for, not the
// one that ran.
SliceList EncodeStreamNote(const AnswerPlan& plan, std::string_view error_message,
                           Finality finality, BlockPool* pool);

// A ModelStreamInferResponse for a request that never began: it has nothing but its id.
SliceList EncodeStreamRefusal(std::string_view id, std::string_view error_message, BlockPool* pool);

}  // namespace pt::api
