#include <algorithm>
#include <optional>
#include <set>
#include <vector>

#include "repo/config_check.h"
#include "tensor/shape.h"
#include "wire/proto/model_config.pb.h"

namespace pt::repo {
namespace {

using Dims = google::protobuf::RepeatedField<int64_t>;

constexpr int64_t kAny = -1;

Status CheckDims(const inference::ModelConfig& config, const Dims& dims, const std::string& place,
                 const std::string& noun) {
  for (const int64_t dim : dims) {
    if (dim >= 1 || dim == kAny) continue;
    return RefuseConfig(
        config, place + noun + " must be integer >= 1, or -1 to indicate a variable-size dimension",
        "got " + std::to_string(dim));
  }
  // One is left for the batch.
  if (dims.size() < Shape::kMaxRank) return {};
  return RefuseConfig(config,
                      place + "must have at most " + std::to_string(Shape::kMaxRank - 1) + " dims",
                      "got " + std::to_string(dims.size()));
}

// The products of the dimensions between the variable ones, which must match pairwise.
std::vector<std::optional<int64_t>> Products(const Dims& dims) {
  std::vector<std::optional<int64_t>> products(1, 1);
  for (const int64_t dim : dims) {
    std::optional<int64_t>& last = products.back();
    int64_t product = 0;
    if (dim == kAny) {
      products.emplace_back(1);
    } else if (last) {
      last = __builtin_mul_overflow(*last, dim, &product) ? std::nullopt : std::optional(product);
    }
  }
  return products;
}

template <typename Tensor>
Status CheckReshape(const inference::ModelConfig& config, const Tensor& tensor,
                    const std::string& place) {
  if (!tensor.has_reshape()) return {};
  const Dims& shape = tensor.reshape().shape();
  if (shape.empty() && config.max_batch_size() == 0) {
    return RefuseConfig(config,
                        place +
                            "cannot have empty reshape for non-batching model as scalar tensors "
                            "are not supported",
                        "remove 'reshape' or set 'max_batch_size'");
  }
  PT_RETURN_IF_ERROR(CheckDims(config, shape, place, "reshape dimensions"));
  const auto of_dims = Products(tensor.dims());
  const auto of_shape = Products(shape);
  if (of_dims.size() != of_shape.size()) {
    return RefuseConfig(
        config, place + "has different number of variable-size dimensions for dims and reshape",
        "both need the same number of -1");
  }
  if (of_dims == of_shape && std::all_of(of_dims.begin(), of_dims.end(),
                                         [](const auto& product) { return product.has_value(); })) {
    return {};
  }
  return RefuseConfig(config, place + "has different size for dims and reshape",
                      "both need the same number of elements");
}

template <typename Tensor>
Status CheckTensor(const inference::ModelConfig& config, const Tensor& tensor,
                   const std::string& noun) {
  if (tensor.name().empty()) {
    return RefuseConfig(config, noun + " must specify 'name'", "");
  }
  const std::string place = noun + " '" + tensor.name() + "' ";
  if (tensor.data_type() == inference::TYPE_INVALID ||
      !inference::DataType_IsValid(tensor.data_type())) {
    return RefuseConfig(config, place + "must specify 'data_type'",
                        "for example TYPE_FP32 or TYPE_STRING");
  }
  if (tensor.dims().empty()) {
    return RefuseConfig(config, place + "must specify 'dims'",
                        "without the batch dimension; [ -1 ] takes any length");
  }
  PT_RETURN_IF_ERROR(CheckDims(config, tensor.dims(), place, "dimension"));
  PT_RETURN_IF_ERROR(CheckReshape(config, tensor, place));
  if (config.platform() == "tensorrt_plan") return {};
  if (tensor.is_shape_tensor()) {
    return RefuseConfig(config, "shape tensors are only supported for TensorRT platform",
                        "remove 'is_shape_tensor' from '" + tensor.name() + "'");
  }
  if (!tensor.is_non_linear_format_io()) return {};
  return RefuseConfig(config, "Non-linear IO format is only supported for the TensorRT platform",
                      "remove 'is_non_linear_format_io' from '" + tensor.name() + "'");
}

// Triton loads such a model, and then no request to it can be right.
template <typename Tensors>
Status CheckNames(const inference::ModelConfig& config, const Tensors& tensors,
                  const std::string& noun) {
  std::set<std::string> names;
  for (const auto& tensor : tensors) {
    if (names.insert(tensor.name()).second) continue;
    return RefuseConfig(config, noun + " '" + tensor.name() + "' is specified more than once",
                        "give each a name of its own");
  }
  return {};
}

Status CheckFormat(const inference::ModelConfig& config, const inference::ModelInput& input) {
  if (input.format() == inference::ModelInput::FORMAT_NONE || input.dims_size() == 3) return {};
  return RefuseConfig(config, "model input NHWC/NCHW require 3 dims",
                      "input '" + input.name() + "' has " + std::to_string(input.dims_size()));
}

bool HasInput(const inference::ModelConfig& config, const std::string& name) {
  return std::any_of(config.input().begin(), config.input().end(),
                     [&](const auto& input) { return input.name() == name; });
}

bool HasOutput(const inference::ModelConfig& config, const std::string& name) {
  return std::any_of(config.output().begin(), config.output().end(),
                     [&](const auto& output) { return output.name() == name; });
}

template <typename Item>
Status CheckSource(const inference::ModelConfig& config, const Item& item, const std::string& noun,
                   const std::string& kind) {
  if (item.source_input_size() != 1) {
    return RefuseConfig(config,
                        noun + " kind '" + kind + "' expects 1 source input, got " +
                            std::to_string(item.source_input_size()),
                        "");
  }
  const std::string& source = item.source_input(0);
  if (HasInput(config, source)) return {};
  return RefuseConfig(config, "unknown source input name '" + source + "'",
                      "it must be one of the model's inputs");
}

Status CheckBatchInputs(const inference::ModelConfig& config) {
  for (const inference::BatchInput& item : config.batch_input()) {
    const std::string kind = inference::BatchInput::Kind_Name(item.kind());
    if (item.data_type() != inference::TYPE_INT32 && item.data_type() != inference::TYPE_FP32) {
      return RefuseConfig(config, "batch input data type must be TYPE_INT32 or TYPE_FP32",
                          "got " + inference::DataType_Name(item.data_type()));
    }
    PT_RETURN_IF_ERROR(CheckSource(config, item, "batch input", kind));
  }
  return {};
}

Status CheckBatchOutputs(const inference::ModelConfig& config) {
  std::set<std::string> targets;
  for (const inference::BatchOutput& item : config.batch_output()) {
    PT_RETURN_IF_ERROR(
        CheckSource(config, item, "batch output", inference::BatchOutput::Kind_Name(item.kind())));
    for (const std::string& target : item.target_name()) {
      if (!HasOutput(config, target)) {
        return RefuseConfig(config, "unknown target output name '" + target + "'",
                            "it must be one of the model's outputs");
      }
      if (!targets.insert(target).second) {
        return RefuseConfig(config,
                            "target output name '" + target + "' can only be specified once", "");
      }
    }
  }
  return {};
}

}  // namespace

Status CheckTensors(const inference::ModelConfig& config) {
  for (const auto& input : config.input()) {
    PT_RETURN_IF_ERROR(CheckTensor(config, input, "model input"));
    PT_RETURN_IF_ERROR(CheckFormat(config, input));
  }
  for (const auto& output : config.output()) {
    PT_RETURN_IF_ERROR(CheckTensor(config, output, "model output"));
  }
  PT_RETURN_IF_ERROR(CheckNames(config, config.input(), "model input"));
  PT_RETURN_IF_ERROR(CheckNames(config, config.output(), "model output"));
  PT_RETURN_IF_ERROR(CheckBatchInputs(config));
  return CheckBatchOutputs(config);
}

}  // namespace pt::repo
