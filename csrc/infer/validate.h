// Validate: checks a filled request against its model's configuration; the texts are Triton's
// (spec/triton-frontend 2.2), in its order.
//
// Thread rule: pure.
#pragma once

#include "base/status.h"
#include "infer/request.h"

namespace pt {

// Names as the client gave them, before they have indices.
struct NamedInput {
  std::string_view name;
  DataType type = DataType::kInvalid;
  std::string_view type_name;  // as given, for the message
  Shape shape;
  Slice data;
};
using NamedInputs = std::vector<NamedInput, CellAllocator<NamedInput>>;

// Resolves names to indices, checks counts, types, shapes, batch sizes and byte sizes (BYTES
// elements too), sorts request->inputs and sets batch_size and input_bytes. The inputs then have
// the shapes that the backend sees. Errors: InvalidArgument with the documented text.
Status FillInputs(NamedInputs&& inputs, InferRequest* request);

// "[request id: ID] " or "[request id: <id_unknown>] ".
std::string RequestIdPrefix(const std::string& id);

// Byte size of a tensor of this type and shape, InvalidArgument on overflow or a negative
// dimension. REQUIRES: type is not kBytes.
Result<int64_t> ByteSize(DataType type, const Shape& shape, std::string_view input_name);

}  // namespace pt
