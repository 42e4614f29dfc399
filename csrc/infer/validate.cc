#include "infer/validate.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "infer/reshape.h"
#include "tensor/bytes_tensor.h"

namespace pt {
namespace {

constexpr std::string_view kBatchNote =
    "NOTE: Setting a non-zero max_batch_size in the model config requires a batch dimension to be "
    "prepended to each input shape. If you want to specify the full shape including the batch dim "
    "in "
    "your input dims config, try setting max_batch_size to zero. See the model configuration docs "
    "for "
    "more info on max_batch_size.";

std::string Quoted(std::string_view name) { return "'" + std::string(name) + "'"; }

// "input 'A' for model 'm'" is how most texts name the place.
std::string InputOfModel(const ModelConfig& config, const TensorSpec& spec) {
  return "input '" + spec.name + "' for model '" + config.name + "'";
}

Status InvalidRequest(const InferRequest& request, std::string text) {
  return InvalidArgument(RequestIdPrefix(request.id) + std::move(text));
}

void AppendName(std::string_view name, std::string* list) {
  if (list->size() > 1) *list += ',';
  *list += Quoted(name);
}

Status WrongInputs(const NamedInputs& inputs, const InferRequest& request) {
  const ModelConfig& config = request.model().config();
  std::string given = "[";
  for (const NamedInput& input : inputs) AppendName(input.name, &given);
  std::string missing = "[";
  size_t required = 0;
  for (const TensorSpec& spec : config.inputs) {
    if (spec.is_optional) continue;
    ++required;
    const bool is_given = std::any_of(inputs.begin(), inputs.end(), [&](const NamedInput& input) {
      return input.name == spec.name;
    });
    if (!is_given) AppendName(spec.name, &missing);
  }
  const std::string most = std::to_string(config.inputs.size());
  const std::string expected =
      required == config.inputs.size()
          ? "expected " + most + " inputs"
          : "expected number of inputs between " + std::to_string(required) + " and " + most;
  return InvalidRequest(request, expected + " but got " + std::to_string(inputs.size()) +
                                     " inputs for model '" + config.name + "'. Got input(s) " +
                                     given + "], but missing required input(s) " + missing +
                                     "]. Please provide all required input(s).");
}

// The index of input `name`; `guess` is tried first, because clients mostly keep the model's order.
int Resolve(const ModelConfig& config, std::string_view name, int guess) {
  if (guess < static_cast<int>(config.inputs.size()) && config.inputs[guess].name == name) {
    return guess;
  }
  return config.FindInput(name);
}

Status CheckNoDuplicate(const InferRequest& request) {
  const auto twice = std::adjacent_find(
      request.inputs.begin(), request.inputs.end(),
      [](const InputTensor& a, const InputTensor& b) { return a.index == b.index; });
  if (twice == request.inputs.end()) return {};
  const std::string& name = request.model().config().inputs[twice->index].name;
  return InvalidRequest(request, "input " + Quoted(name) + " already exists in request");
}

Status CheckNothingMissing(const NamedInputs& inputs, const InferRequest& request) {
  const ModelConfig& config = request.model().config();
  if (request.inputs.size() == config.inputs.size()) return {};
  auto given = request.inputs.begin();
  for (size_t i = 0; i < config.inputs.size(); ++i) {
    if (given != request.inputs.end() && given->index == static_cast<int>(i)) {
      ++given;
    } else if (!config.inputs[i].is_optional) {
      return WrongInputs(inputs, request);
    }
  }
  return {};
}

// Moves the inputs into the request, by index and sorted. Of `inputs` only the names stay.
Status ResolveNames(NamedInputs* inputs, InferRequest* request) {
  const ModelConfig& config = request->model().config();
  const NamedInput* unknown = nullptr;
  bool is_sorted = true;
  int last = -1;
  request->inputs.clear();
  request->inputs.reserve(inputs->size());
  for (NamedInput& input : *inputs) {
    const int index = Resolve(config, input.name, last + 1);
    if (index < 0) {
      if (unknown == nullptr) unknown = &input;
      continue;
    }
    is_sorted &= index > last;
    last = index;
    InputTensor& tensor = request->inputs.emplace_back();
    tensor.index = index;
    tensor.tensor.type = input.type;
    tensor.tensor.shape = std::move(input.shape);
    tensor.tensor.data = std::move(input.data);
  }
  if (!is_sorted) {
    std::sort(request->inputs.begin(), request->inputs.end(),
              [](const InputTensor& a, const InputTensor& b) { return a.index < b.index; });
    PT_RETURN_IF_ERROR(CheckNoDuplicate(*request));
  }
  if (inputs->size() > config.inputs.size()) return WrongInputs(*inputs, *request);
  if (unknown != nullptr) {
    const auto required = std::count_if(config.inputs.begin(), config.inputs.end(),
                                        [](const TensorSpec& spec) { return !spec.is_optional; });
    if (static_cast<int64_t>(inputs->size()) < required) return WrongInputs(*inputs, *request);
    return InvalidArgument("unexpected inference input " + Quoted(unknown->name) + " for model '" +
                           config.name + "'");
  }
  return CheckNothingMissing(*inputs, *request);
}

bool FitsSpec(const Shape& shape, const Shape& dims, int batch_axes) {
  if (shape.rank() != dims.rank() + batch_axes) return false;
  for (int axis = 0; axis < dims.rank(); ++axis) {
    if (dims[axis] != -1 && dims[axis] != shape[axis + batch_axes]) return false;
  }
  return true;
}

Status WrongShape(const InferRequest& request, const InputTensor& input) {
  const ModelConfig& config = request.model().config();
  const TensorSpec& spec = config.inputs[input.index];
  std::string expected = spec.dims.ToString();
  const bool is_batching = config.max_batch_size > 0;
  if (is_batching) expected.insert(1, spec.dims.rank() == 0 ? "-1" : "-1,");
  std::string text = "unexpected shape for " + InputOfModel(config, spec) + ". Expected " +
                     expected + ", got " + input.tensor.shape.ToString() + ". ";
  if (is_batching) text += kBatchNote;
  return InvalidRequest(request, std::move(text));
}

Status CheckTypesAndShapes(const InferRequest& request) {
  const ModelConfig& config = request.model().config();
  const int batch_axes = config.max_batch_size > 0 ? 1 : 0;
  for (const InputTensor& input : request.inputs) {
    const TensorSpec& spec = config.inputs[input.index];
    if (input.tensor.type != spec.type) {
      return InvalidRequest(request, "inference input '" + spec.name + "' data-type is " +
                                         Quoted(DataTypeName(input.tensor.type)) + ", but model '" +
                                         config.name + "' expects " +
                                         Quoted(DataTypeName(spec.type)));
    }
    if (!FitsSpec(input.tensor.shape, spec.dims, batch_axes)) return WrongShape(request, input);
  }
  return {};
}

Status CheckBatch(InferRequest* request) {
  const ModelConfig& config = request->model().config();
  request->batch_size = 1;
  if (config.max_batch_size == 0 || request->inputs.empty()) return {};
  request->batch_size = request->inputs.front().tensor.shape[0];
  if (request->batch_size > config.max_batch_size) {
    return InvalidRequest(*request, "inference request batch-size must be <= " +
                                        std::to_string(config.max_batch_size) + " for '" +
                                        config.name + "'");
  }
  for (const InputTensor& input : request->inputs) {
    if (input.tensor.shape[0] == request->batch_size) continue;
    return InvalidRequest(*request, "input '" + config.inputs[input.index].name +
                                        "' batch size does not match other inputs for '" +
                                        config.name + "'");
  }
  return {};
}

Status ElementOverflow(const Shape& shape, std::string_view input_name) {
  return InvalidArgument("invalid shape for input " + Quoted(input_name) + ": shape " +
                         shape.ToString() +
                         " causes total element count to exceed maximum size of " +
                         std::to_string(std::numeric_limits<int64_t>::max()));
}

Status WrongBytes(const InferRequest& request, const InputTensor& input, const BytesCheck& check,
                  int64_t expected) {
  const ModelConfig& config = request.model().config();
  const std::string& name = config.inputs[input.index].name;
  const std::string place = " for inference input '" + name + "'";
  const std::string of_model = " for model '" + config.name + "'";
  switch (check.fault) {
    case BytesFault::kTooFew:
      return InvalidRequest(request, "expected " + std::to_string(expected) + " string elements" +
                                         place + of_model + ", got " +
                                         std::to_string(check.elements));
    case BytesFault::kTooMany:
      return InvalidRequest(request, "unexpected number of string elements " +
                                         std::to_string(check.elements + 1) + place + of_model +
                                         ", expecting " + std::to_string(expected));
    case BytesFault::kCutLength:
      return InvalidArgument("incomplete string length indicator" + place + ", expecting " +
                             std::to_string(check.expected) + " bytes but only " +
                             std::to_string(check.available) + " bytes available");
    case BytesFault::kCutElement:
      return InvalidArgument("incomplete string data" + place + ", expecting string of length " +
                             std::to_string(check.expected) + " but only " +
                             std::to_string(check.available) + " bytes available");
    case BytesFault::kNone:
      break;
  }
  return {};
}

Status CheckData(const InferRequest& request, const InputTensor& input, const Shape& shape) {
  const ModelConfig& config = request.model().config();
  const TensorSpec& spec = config.inputs[input.index];
  if (spec.type == DataType::kBytes) {
    const std::optional<int64_t> count = shape.ElementCount();
    if (!count) return ElementOverflow(shape, spec.name);
    return WrongBytes(request, input, CheckBytes(input.tensor.data.view(), *count), *count);
  }
  PT_ASSIGN_OR_RETURN(const int64_t expected, ByteSize(spec.type, shape, spec.name));
  if (input.tensor.data.size == static_cast<uint64_t>(expected)) return {};
  return InvalidRequest(request, "input byte size mismatch for " + InputOfModel(config, spec) +
                                     ". Expected " + std::to_string(expected) + ", got " +
                                     std::to_string(input.tensor.data.size));
}

// A batch of nothing. Clients know the answer to it as a wrong byte size against a batch of one.
Status RejectEmptyBatch(const InferRequest& request) {
  const ModelConfig& config = request.model().config();
  for (const InputTensor& input : request.inputs) {
    Shape shape = input.tensor.shape;
    if (input.tensor.data.empty()) shape.set(0, 1);
    PT_RETURN_IF_ERROR(CheckData(request, input, shape));
  }
  return InvalidRequest(request,
                        "inference request batch-size must be >= 1 for '" + config.name + "'");
}

Status CheckAllData(InferRequest* request) {
  const ModelConfig& config = request->model().config();
  for (const InputTensor& input : request->inputs) {
    const auto dims = input.tensor.shape.dims();
    if (std::none_of(dims.begin(), dims.end(), [](int64_t dim) { return dim < 0; })) continue;
    return InvalidRequest(*request, "All input dimensions should be specified for " +
                                        InputOfModel(config, config.inputs[input.index]) +
                                        ", got " + input.tensor.shape.ToString());
  }
  if (request->batch_size == 0) return RejectEmptyBatch(*request);
  request->input_bytes = 0;
  for (const InputTensor& input : request->inputs) {
    PT_RETURN_IF_ERROR(CheckData(*request, input, input.tensor.shape));
    request->input_bytes += static_cast<int64_t>(input.tensor.data.size);
  }
  return {};
}

}  // namespace

Status FillInputs(NamedInputs&& inputs, InferRequest* request) {
  PT_RETURN_IF_ERROR(ResolveNames(&inputs, request));
  PT_RETURN_IF_ERROR(CheckTypesAndShapes(*request));
  PT_RETURN_IF_ERROR(CheckBatch(request));
  PT_RETURN_IF_ERROR(CheckAllData(request));
  ReshapeInputs(request);
  return {};
}

std::string RequestIdPrefix(const std::string& id) {
  return "[request id: " + (id.empty() ? "<id_unknown>" : id) + "] ";
}

Result<int64_t> ByteSize(DataType type, const Shape& shape, std::string_view input_name) {
  const auto dims = shape.dims();
  if (std::any_of(dims.begin(), dims.end(), [](int64_t dim) { return dim < 0; })) {
    return InvalidArgument("invalid shape for input " + Quoted(input_name) + ": shape " +
                           shape.ToString() + " has a negative dimension");
  }
  const std::optional<int64_t> count = shape.ElementCount();
  if (!count) return ElementOverflow(shape, input_name);
  int64_t bytes = 0;
  if (__builtin_mul_overflow(*count, static_cast<int64_t>(DataTypeSize(type)), &bytes)) {
    return InvalidArgument("byte size overflow for input " + Quoted(input_name) + ": shape " +
                           shape.ToString() + " of " + std::string(DataTypeName(type)) +
                           " exceeds the maximum size of " +
                           std::to_string(std::numeric_limits<int64_t>::max()) + " bytes");
  }
  return bytes;
}

}  // namespace pt
