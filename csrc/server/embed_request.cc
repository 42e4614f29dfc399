#include "server/embed_request.h"

#include <algorithm>
#include <optional>

#include "tensor/bytes_tensor.h"

namespace pt::server {
namespace {

std::string OutputName(std::string_view name) { return "output '" + std::string(name) + "'"; }

// The shape that the model declares for this request: its batch size first, then the dimensions.
Shape DeclaredShape(const TensorSpec& spec, const ModelConfig& config, int64_t batch_size) {
  if (config.max_batch_size == 0) return spec.dims;
  Shape shape{batch_size};
  for (const int64_t dim : spec.dims.dims()) {
    // Cannot fail: declared ranks leave room for the batch dimension.
    if (!shape.Append(dim)) break;
  }
  return shape;
}

bool Fits(std::span<const int64_t> shape, const Shape& declared) {
  const auto same = [](int64_t got, int64_t want) { return want == -1 ? got >= 0 : got == want; };
  return std::equal(shape.begin(), shape.end(), declared.dims().begin(), declared.dims().end(),
                    same);
}

Status CheckShape(const TensorSpec& spec, std::span<const int64_t> shape, const Shape& declared) {
  if (Fits(shape, declared)) return {};
  const std::string got = shape.size() <= Shape::kMaxRank
                              ? Shape(shape).ToString()
                              : std::to_string(shape.size()) + " dimensions";
  return Internal("expected shape " + declared.ToString() + " for " + OutputName(spec.name) +
                  ", got " + got);
}

Status CheckByteSize(const TensorSpec& spec, const Shape& shape, size_t byte_size) {
  const std::optional<int64_t> elements = shape.ElementCount();
  if (!elements) return Internal("expected a shape that fits memory for " + OutputName(spec.name));
  if (spec.type == DataType::kBytes) return {};  // checked once it is filled
  const auto width = static_cast<int64_t>(DataTypeSize(spec.type));
  int64_t expected = 0;
  if (__builtin_mul_overflow(*elements, width, &expected) ||
      byte_size != static_cast<size_t>(expected)) {
    return Internal("expected " + std::to_string(*elements) + " elements of " +
                    std::to_string(width) + " bytes for " + OutputName(spec.name) + ", got " +
                    std::to_string(byte_size) + " bytes");
  }
  return {};
}

}  // namespace

void EmbedRequest::Begin(const InferRequest* request, BlockPool* pool) {
  request_ = request;
  pool_ = pool;
  const ModelConfig& config = request->model().config();
  inputs_.resize(request->inputs.size());
  for (size_t i = 0; i < inputs_.size(); ++i) {
    const InputTensor& input = request->inputs[i];
    pytriton::TensorView& view = inputs_[i];
    view.name = config.inputs[static_cast<size_t>(input.index)].name;
    view.datatype = DataTypeName(input.tensor.type);
    const std::span<const int64_t> dims = input.tensor.shape.dims();
    view.shape.assign(dims.begin(), dims.end());
    view.data = input.tensor.data.data;
    view.byte_size = input.tensor.data.size;
  }
}

InferResponse EmbedRequest::Finish() {
  if (failure_.ok()) failure_ = CheckComplete();
  InferResponse response;
  if (failure_.ok()) {
    std::erase_if(outputs_, [this](const OutputTensor& output) {
      return !request_->WantsOutput(output.index);
    });
    response.outputs = std::move(outputs_);
  }
  response.status = std::exchange(failure_, Status());
  outputs_.clear();
  inputs_.clear();
  request_ = nullptr;
  return response;
}

void* EmbedRequest::AddOutput(std::string_view name, const std::vector<int64_t>& shape,
                              size_t byte_size) {
  Status status = TryAddOutput(name, shape, byte_size);
  if (status.ok()) return outputs_.back().tensor.data.owner->data();
  if (failure_.ok()) failure_ = std::move(status);
  return nullptr;
}

void EmbedRequest::Fail(const std::string& message) {
  if (failure_.ok()) failure_ = Internal(message);
}

Status EmbedRequest::TryAddOutput(std::string_view name, const std::vector<int64_t>& shape,
                                  size_t byte_size) {
  const ModelConfig& config = request_->model().config();
  const int index = config.FindOutput(name);
  if (index < 0) {
    return Internal("expected an output of model '" + config.name + "', got " + OutputName(name));
  }
  for (const OutputTensor& other : outputs_) {
    if (other.index == index) {
      return Internal("expected " + OutputName(name) + " once, got it twice");
    }
  }
  const TensorSpec& spec = config.outputs[static_cast<size_t>(index)];
  PT_RETURN_IF_ERROR(CheckShape(spec, shape, DeclaredShape(spec, config, request_->batch_size)));
  OutputTensor output;
  output.index = index;
  output.tensor.type = spec.type;
  output.tensor.shape = Shape(shape);
  PT_RETURN_IF_ERROR(CheckByteSize(spec, output.tensor.shape, byte_size));
  BlockRef block = pool_->Allocate(std::max<size_t>(byte_size, 1));
  if (!block) {
    return Unavailable("no memory for " + std::to_string(byte_size) + " bytes of " +
                       OutputName(name));
  }
  const char* data = block->data();
  output.tensor.data = Slice(std::move(block), data, byte_size);
  outputs_.push_back(std::move(output));
  return {};
}

// Every output was added, and BYTES hold as many elements as their shape says.
Status EmbedRequest::CheckComplete() const {
  const std::vector<TensorSpec>& specs = request_->model().config().outputs;
  for (size_t i = 0; i < specs.size(); ++i) {
    const auto found = std::find_if(outputs_.begin(), outputs_.end(), [i](const OutputTensor& o) {
      return o.index == static_cast<int>(i);
    });
    if (found == outputs_.end()) {
      return Internal("expected " + OutputName(specs[i].name) +
                      " from the callable, got no such output");
    }
    if (specs[i].type != DataType::kBytes) continue;
    const int64_t elements = found->tensor.shape.ElementCount().value_or(0);
    const BytesCheck check = CheckBytes(found->tensor.data.view(), elements);
    if (check.fault != BytesFault::kNone) {
      return Internal("expected " + std::to_string(elements) + " length-prefixed elements in " +
                      OutputName(specs[i].name) + ", got bad data after element " +
                      std::to_string(check.elements));
    }
  }
  return {};
}

}  // namespace pt::server
