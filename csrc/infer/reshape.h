// Reshape: the two faces of a tensor whose configuration says `reshape`: clients see dims, the
// backend sees the other shape of the same elements.
//
// Thread rule: pure.
#pragma once

#include "infer/request.h"
#include "infer/response.h"

namespace pt {

// `actual`, which fits the pattern `from` behind its first `batch_axes` axes, as one that fits
// `to`: the n-th variable dimension of `from` goes where the n-th of `to` is. `actual` itself when
// it does not fit. REQUIRES: both patterns have the same number of variable dimensions.
Shape Reshape(const Shape& actual, const Shape& from, const Shape& to, int batch_axes);

// Turns the inputs to what the backend sees. REQUIRES: they were validated.
void ReshapeInputs(InferRequest* request);
// Turns the outputs to what the client sees.
void ReshapeOutputs(const ModelConfig& config, InferResponse* response);

}  // namespace pt
