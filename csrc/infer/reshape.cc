#include "infer/reshape.h"

namespace pt {
namespace {

int BatchAxes(const ModelConfig& config) { return config.max_batch_size > 0 ? 1 : 0; }

}  // namespace

Shape Reshape(const Shape& actual, const Shape& from, const Shape& to, int batch_axes) {
  if (actual.rank() != from.rank() + batch_axes) return actual;
  Shape shape;
  for (int axis = 0; axis < batch_axes; ++axis) (void)shape.Append(actual[axis]);
  int next = 0;  // axis of `from` behind the last variable one that was used
  for (int axis = 0; axis < to.rank(); ++axis) {
    int64_t dim = to[axis];
    if (dim < 0) {
      while (next < from.rank() && from[next] >= 0) ++next;
      if (next == from.rank()) return actual;
      dim = actual[batch_axes + next++];
    }
    if (!shape.Append(dim)) return actual;
  }
  return shape.ElementCount() == actual.ElementCount() ? shape : actual;
}

void ReshapeInputs(InferRequest* request) {
  const ModelConfig& config = request->model().config();
  for (InputTensor& input : request->inputs) {
    const TensorSpec& spec = config.inputs[static_cast<size_t>(input.index)];
    if (!spec.reshape) continue;
    input.tensor.shape = Reshape(input.tensor.shape, spec.dims, *spec.reshape, BatchAxes(config));
  }
}

void ReshapeOutputs(const ModelConfig& config, InferResponse* response) {
  for (OutputTensor& output : response->outputs) {
    const TensorSpec& spec = config.outputs[static_cast<size_t>(output.index)];
    if (!spec.reshape) continue;
    output.tensor.shape = Reshape(output.tensor.shape, *spec.reshape, spec.dims, BatchAxes(config));
  }
}

}  // namespace pt
