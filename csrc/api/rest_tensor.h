// Tensors as JSON: arrays of the protocol's `data` members to tensor bytes and back
// (spec/triton-frontend 2.1).
//
// Thread rule: pure functions.
#pragma once

#include "api/rest_infer_head.h"
#include "base/block.h"
#include "base/status.h"
#include "tensor/tensor.h"
#include "wire/json_writer.h"

namespace pt::api {

// The bytes of a tensor whose elements are `data`, an array of any nesting, in a block of `pool`.
// BYTES elements are not counted here; validation does. Errors: InvalidArgument for FP16 and BF16,
// a wrong element type, a number out of the type's range, a count that is not the shape's.
Result<Slice> TensorFromJson(const HeadInput& input, BlockPool* pool);

// Writes the elements as one flat array. Errors: InvalidArgument for FP16 and BF16, Internal when
// the bytes are not what type and shape say.
Status TensorToJson(const TensorView& tensor, std::string_view name, wire::JsonWriter* writer);

}  // namespace pt::api
