#include "api/generate_request.h"

#include <string>
#include <utility>
#include <vector>

#include "api/header_forward.h"
#include "api/rest_infer_head.h"
#include "api/rest_tensor.h"
#include "infer/validate.h"
#include "wire/json_reader.h"

namespace pt::api {
namespace {

using wire::JsonMember;
using wire::JsonValue;

class Filler {
 public:
  Filler(BlockPool* pool, InferRequest* request)
      : pool_(pool), request_(request), config_(request->model().config()) {}

  Status Run(JsonValue root) {
    if (!root.is_object()) return root.ErrorHere("attempt to access JSON non-object as object");
    for (const JsonMember member : root.members()) {
      if (member.key == "parameters" && config_.FindInput(member.key) < 0 &&
          member.value.is_object()) {
        for (const JsonMember inner : member.value.members()) PT_RETURN_IF_ERROR(Take(inner));
      } else {
        PT_RETURN_IF_ERROR(Take(member));
      }
    }
    return FillInputs(std::move(inputs_), request_);
  }

 private:
  Status Take(const JsonMember& member) {
    const int index = config_.FindInput(member.key);
    if (index >= 0) return TakeInput(config_.inputs[static_cast<size_t>(index)], member.value);
    PT_ASSIGN_OR_RETURN(ParameterValue value, ReadCustomParameter(member.key, member.value));
    if (member.key == "id" && member.value.is_string()) {
      request_->id = std::string(member.value.string_unchecked());
    }
    SetParameter(std::string(member.key), std::move(value), &request_->parameters);
    return {};
  }

  Status TakeInput(const TensorSpec& spec, JsonValue value) {
    HeadInput input;
    input.name = spec.name;
    input.type = spec.type;
    input.type_name = DataTypeName(spec.type);
    input.data = value;
    int64_t count = 1;
    if (value.is_array()) {
      count = 0;
      for (const JsonValue element : value.elements()) {
        if (element.is_array() || element.is_object()) {
          return element.ErrorHere("expected a scalar or a one-dimensional array for input '" +
                                   spec.name + "'");
        }
        ++count;
      }
    }
    PT_ASSIGN_OR_RETURN(input.shape, DeduceShape(spec, count, value));
    NamedInput& named = inputs_.emplace_back();
    named.name = spec.name;
    named.type = spec.type;
    named.type_name = input.type_name;
    PT_ASSIGN_OR_RETURN(named.data, TensorFromJson(input, pool_));
    named.shape = std::move(input.shape);
    return {};
  }

  // The innermost free dimension takes what the fixed ones leave.
  Result<Shape> DeduceShape(const TensorSpec& spec, int64_t count, JsonValue value) const {
    int64_t fixed = 1;
    int free_axis = -1;
    bool fits = true;
    for (int axis = 0; axis < spec.dims.rank(); ++axis) {
      if (spec.dims[axis] < 0) {
        free_axis = axis;
      } else if (__builtin_mul_overflow(fixed, spec.dims[axis], &fixed)) {
        fits = false;
      }
    }
    fits = fits && (fixed == 0 ? count == 0 : count % fixed == 0);
    fits = fits && (free_axis >= 0 || count == fixed);
    if (!fits) {
      return value.ErrorHere("The schema can not convert input '" + spec.name +
                             "' to tensor with proper shape");
    }
    Shape shape;
    bool has_room = config_.max_batch_size == 0 || shape.Append(1);
    for (int axis = 0; axis < spec.dims.rank(); ++axis) {
      const int64_t dim = spec.dims[axis];
      const int64_t left = fixed == 0 ? 0 : count / fixed;
      has_room = has_room && shape.Append(dim >= 0 ? dim : axis == free_axis ? left : 1);
    }
    if (!has_room) return Internal("shape of input '" + spec.name + "' is full");
    return shape;
  }

  BlockPool* const pool_;
  InferRequest* const request_;
  const ModelConfig& config_;
  NamedInputs inputs_;
};

}  // namespace

Status FillGenerate(std::string_view body, int max_json_depth, BlockPool* pool,
                    InferRequest* request) {
  wire::JsonDocument document(max_json_depth);
  PT_RETURN_IF_ERROR(document.Parse(body));
  return Filler(pool, request).Run(document.root());
}

}  // namespace pt::api
