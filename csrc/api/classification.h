// Classification: an output as its best classes instead of its values (spec/triton-frontend 2.5).
//
// Thread rule: pure.
#pragma once

#include <cstdint>

#include "base/block.h"
#include "base/status.h"
#include "infer/model_config.h"
#include "tensor/tensor.h"

namespace pt::api {

enum class Batched { kNo, kYes };

// A BYTES tensor of shape [n], or [batch, n] where the first dimension of `tensor` is a batch: for
// each item the n largest values as "VALUE:INDEX" or "VALUE:INDEX:LABEL", n being `count` or the
// number of values if that is less. Equal values keep their order; NaN comes last. Errors:
// InvalidArgument for types without an order and for too many results, Unavailable when there is no
// memory.
Result<TensorView> Classify(const TensorView& tensor, const TensorSpec& spec, uint32_t count,
                            Batched batched, BlockPool* pool);

}  // namespace pt::api
