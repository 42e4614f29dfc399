// TensorView: type, shape and bytes of one tensor, with whoever keeps the bytes alive.
//
// BYTES tensors hold their elements as the wire does: a 4-byte little-endian length before each.
// Thread rule: a value; the bytes are immutable once shared.
#pragma once

#include "base/block.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace pt {

struct TensorView {
  DataType type = DataType::kInvalid;
  Shape shape;
  Slice data;  // contiguous, little-endian
};

}  // namespace pt
