#include "api/rest_infer_head.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace pt::api {
namespace {

using wire::JsonMember;
using wire::JsonType;
using wire::JsonValue;
using wire::UnableToParse;

constexpr size_t kMaxHeads = 8;
constexpr size_t kMaxRemembered = 4096;
constexpr size_t kMaxKeptBytes = size_t{1} << 20;

Status NoMember(JsonValue object, std::string_view key) {
  std::string text = "attempt to access non-existing object member '";
  return UnableToParse(key, object.ErrorHere(text.append(key).append("'")));
}

// The member `key` as a string.
Result<std::string_view> StringMember(JsonValue object, std::string_view key) {
  const JsonValue value = object.Find(key);
  if (!value) return NoMember(object, key);
  Result<std::string_view> text = value.AsString();
  if (!text.ok()) return UnableToParse(key, text.status());
  return text;
}

Result<JsonValue> ArrayMember(JsonValue object, std::string_view key) {
  const JsonValue value = object.Find(key);
  if (!value) return NoMember(object, key);
  if (!value.is_array()) {
    return UnableToParse(key, value.ErrorHere("attempt to access JSON non-array as array"));
  }
  return value;
}

Result<uint64_t> Unsigned(std::string_view key, JsonValue value) {
  Result<uint64_t> number = value.AsUint64();
  if (!number.ok()) return UnableToParse(key, number.status());
  return number;
}

Result<bool> Bool(std::string_view key, JsonValue value) {
  Result<bool> flag = value.AsBool();
  if (!flag.ok()) return UnableToParse(key, flag.status());
  return flag;
}

Result<Shape> ReadShape(JsonValue input, std::string_view name) {
  PT_ASSIGN_OR_RETURN(const JsonValue dims, ArrayMember(input, "shape"));
  Shape shape;
  for (const JsonValue dim : dims.elements()) {
    PT_ASSIGN_OR_RETURN(const uint64_t size, Unsigned("shape", dim));
    if (size > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      return UnableToParse("shape",
                           dim.ErrorHere("dimension exceeds the maximum of " +
                                         std::to_string(std::numeric_limits<int64_t>::max())));
    }
    if (!shape.Append(static_cast<int64_t>(size))) {
      return dims.ErrorHere("shape of input '" + std::string(name) + "' has more than " +
                            std::to_string(Shape::kMaxRank) + " dimensions");
    }
  }
  return shape;
}

// REQUIRES: `parameters` has a shared_memory_region.
Status ReadRegionWish(JsonValue parameters, RegionWish* wish) {
  PT_ASSIGN_OR_RETURN(wish->region, StringMember(parameters, "shared_memory_region"));
  wish->is_given = true;
  if (const JsonValue offset = parameters.Find("shared_memory_offset")) {
    PT_ASSIGN_OR_RETURN(wish->offset, Unsigned("shared_memory_offset", offset));
  }
  if (const JsonValue size = parameters.Find("shared_memory_byte_size")) {
    PT_ASSIGN_OR_RETURN(wish->byte_size, Unsigned("shared_memory_byte_size", size));
  }
  return {};
}

}  // namespace

Result<ParameterValue> ReadCustomParameter(std::string_view key, JsonValue value) {
  switch (value.type()) {
    case JsonType::kString:
      return ParameterValue(std::string(value.string_unchecked()));
    case JsonType::kBool:
      return ParameterValue(value.bool_unchecked());
    case JsonType::kInt:
      return ParameterValue(value.int_unchecked());
    case JsonType::kUint:
      return ParameterValue(static_cast<double>(value.uint_unchecked()));
    case JsonType::kDouble:
      return ParameterValue(value.double_unchecked());
    default:
      return value.ErrorHere("parameter '" + std::string(key) +
                             "' has invalid type. It should be either 'int', 'bool', or 'string'.");
  }
}

void InferHead::Reset() {
  id = {};
  inputs.clear();
  outputs.clear();
  wants_binary = false;
  priority = 0;
  correlation_id = uint64_t{0};
  sequence_flags = 0;
  timeout_us = 0;
  parameters.clear();
  is_valid_ = false;
}

Status InferHead::Read(std::string_view text) {
  Reset();
  PT_RETURN_IF_ERROR(document_.Parse(text));
  PT_RETURN_IF_ERROR(ReadRoot(document_.root()));
  // Long texts hold tensor data, which does not repeat.
  is_valid_ = text.size() <= kMaxRemembered;
  if (is_valid_) text_.assign(text);
  return {};
}

Status InferHead::ReadRoot(JsonValue root) {
  if (root.Find("id")) {
    PT_ASSIGN_OR_RETURN(id, StringMember(root, "id"));
  }
  if (const JsonValue given = root.Find("parameters")) {
    PT_RETURN_IF_ERROR(ReadParameters(given));
  }
  PT_ASSIGN_OR_RETURN(const JsonValue all_inputs, ArrayMember(root, "inputs"));
  for (const JsonValue input : all_inputs.elements()) PT_RETURN_IF_ERROR(ReadInput(input));
  if (root.Find("outputs")) {
    PT_ASSIGN_OR_RETURN(const JsonValue wanted, ArrayMember(root, "outputs"));
    for (const JsonValue output : wanted.elements()) PT_RETURN_IF_ERROR(ReadOutput(output));
  }
  return {};
}

Status InferHead::ReadParameters(JsonValue given) {
  if (!given.is_object()) {
    return given.ErrorHere("failed to get request params.: attempt to get members for non-object");
  }
  for (const JsonMember member : given.members()) {
    PT_RETURN_IF_ERROR(ReadParameter(member.key, member.value));
  }
  return {};
}

Status InferHead::ReadParameter(std::string_view key, JsonValue value) {
  if (key == "sequence_id") {
    if (value.is_string()) {
      correlation_id = std::string(value.string_unchecked());
      return {};
    }
    PT_ASSIGN_OR_RETURN(correlation_id, Unsigned(key, value));
    return {};
  }
  if (key == "sequence_start" || key == "sequence_end") {
    PT_ASSIGN_OR_RETURN(const bool is_set, Bool(key, value));
    if (is_set) sequence_flags |= key == "sequence_start" ? kSequenceStart : kSequenceEnd;
    return {};
  }
  if (key == "priority") {
    PT_ASSIGN_OR_RETURN(const uint64_t level, Unsigned(key, value));
    // Beyond every level there can be: the model's default level.
    priority = level <= std::numeric_limits<uint32_t>::max() ? static_cast<uint32_t>(level) : 0;
    return {};
  }
  if (key == "timeout") {
    PT_ASSIGN_OR_RETURN(timeout_us, Unsigned(key, value));
    return {};
  }
  if (key == "binary_data_output") {
    PT_ASSIGN_OR_RETURN(wants_binary, Bool(key, value));
    return {};
  }
  if (key.substr(0, 7) == "triton_") {
    return value.ErrorHere(
        "parameter keys starting with 'triton_' are reserved for Triton usage and should not be "
        "specified.");
  }
  PT_ASSIGN_OR_RETURN(ParameterValue custom, ReadCustomParameter(key, value));
  const bool is_known = std::any_of(parameters.begin(), parameters.end(),
                                    [&](const auto& known) { return known.first == key; });
  if (!is_known) parameters.emplace_back(std::string(key), std::move(custom));
  return {};
}

Status InferHead::ReadInput(JsonValue input) {
  HeadInput& to = inputs.emplace_back();
  PT_ASSIGN_OR_RETURN(to.name, StringMember(input, "name"));
  PT_ASSIGN_OR_RETURN(to.shape, ReadShape(input, to.name));
  PT_ASSIGN_OR_RETURN(to.type_name, StringMember(input, "datatype"));
  to.type = ParseDataType(to.type_name);
  if (to.type == DataType::kInvalid) {
    return input.Find("datatype").ErrorHere("invalid datatype for input " + std::string(to.name));
  }
  return ReadSource(input, &to);
}

// An input has its bytes from exactly one place.
Status InferHead::ReadSource(JsonValue input, HeadInput* to) {
  const JsonValue given = input.Find("parameters");
  const JsonValue region = given ? given.Find("shared_memory_region") : JsonValue();
  const JsonValue binary = given ? given.Find("binary_data_size") : JsonValue();
  to->data = input.Find("data");
  const int sources = (to->data ? 1 : 0) + (binary ? 1 : 0) + (region ? 1 : 0);
  if (sources != 1) {
    std::string text =
        "Input must set only one of the following fields: 'data', 'binary_data_size' in "
        "'parameters', 'shared_memory_region' in 'parameters'. But ";
    text += sources == 0 ? "no field is set" : "set";
    if (to->data) text += " 'data'";
    if (binary) text += " 'binary_data_size'";
    if (region) text += " 'shared_memory_region'";
    return input.ErrorHere(text);
  }
  if (region) return ReadRegionWish(given, &to->region);
  if (binary) {
    PT_ASSIGN_OR_RETURN(const uint64_t size, Unsigned("binary_data_size", binary));
    to->binary_size = static_cast<int64_t>(
        std::min(size, static_cast<uint64_t>(std::numeric_limits<int64_t>::max())));
    return {};
  }
  return ArrayMember(input, "data").status();
}

Status InferHead::ReadOutput(JsonValue output) {
  HeadOutput& to = outputs.emplace_back();
  PT_ASSIGN_OR_RETURN(to.name, StringMember(output, "name"));
  const JsonValue given = output.Find("parameters");
  if (!given) return {};
  if (const JsonValue classes = given.Find("classification")) {
    PT_ASSIGN_OR_RETURN(to.classes, Unsigned("classification", classes));
  }
  if (given.Find("shared_memory_region")) {
    if (to.classes > 0) {
      return given.ErrorHere(
          "expected one of 'classification' and 'shared_memory_region' for an output, got both");
    }
    return ReadRegionWish(given, &to.region);
  }
  if (const JsonValue binary = given.Find("binary_data")) {
    PT_ASSIGN_OR_RETURN(to.is_binary, Bool("binary_data", binary));
  }
  return {};
}

std::unique_ptr<InferHead> InferHeadPool::Take(std::string_view text) {
  std::unique_ptr<InferHead> head;
  {
    MutexLock lock(&mu_);
    // Newest first: it is the likeliest, and the likeliest to be in the processor's cache.
    auto at = std::find_if(heads_.rbegin(), heads_.rend(),
                           [&](const auto& kept) { return kept->IsOf(text); });
    if (at == heads_.rend() && heads_.size() == kMaxHeads) at = std::prev(heads_.rend());
    if (at != heads_.rend()) {
      head = std::move(*at);
      heads_.erase(std::next(at).base());
    }
  }
  return head ? std::move(head) : std::make_unique<InferHead>(max_json_depth_);
}

void InferHeadPool::Return(std::unique_ptr<InferHead> head) {
  if (head->kept_bytes() > kMaxKeptBytes) return;
  MutexLock lock(&mu_);
  if (heads_.size() < kMaxHeads) heads_.push_back(std::move(head));
}

}  // namespace pt::api
