// Compares what wire/infer_proto finds in a ModelInferRequest with what libprotobuf finds; used by
// tests and by the fuzz target.
#pragma once

#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "wire/infer_assembler.h"
#include "wire/infer_contents.h"
#include "wire/infer_proto.h"
#include "wire/proto/infer.pb.h"

namespace pt::wire::test {

using ProtoParameters = google::protobuf::Map<std::string, inference::InferParameter>;

inline std::string Describe(const ParameterView& parameter) {
  const std::string kind = std::to_string(static_cast<int>(parameter.kind)) + ":";
  if (parameter.kind == ParameterKind::kUnset) return kind;
  if (parameter.kind == ParameterKind::kString) return kind + std::string(parameter.text);
  return kind + std::to_string(parameter.bits);
}

inline std::string Describe(const inference::InferParameter& parameter) {
  ParameterView view;
  std::string text;
  switch (parameter.parameter_choice_case()) {
    case inference::InferParameter::kBoolParam:
      view.kind = ParameterKind::kBool;
      view.bits = parameter.bool_param() ? 1 : 0;
      break;
    case inference::InferParameter::kInt64Param:
      view.kind = ParameterKind::kInt64;
      view.bits = static_cast<uint64_t>(parameter.int64_param());
      break;
    case inference::InferParameter::kStringParam:
      view.kind = ParameterKind::kString;
      view.text = parameter.string_param();
      break;
    case inference::InferParameter::kDoubleParam:
      view.kind = ParameterKind::kDouble;
      view.bits = std::bit_cast<uint64_t>(parameter.double_param());
      break;
    case inference::InferParameter::kUint64Param:
      view.kind = ParameterKind::kUint64;
      view.bits = parameter.uint64_param();
      break;
    case inference::InferParameter::PARAMETER_CHOICE_NOT_SET:
      break;
  }
  return Describe(view);
}

inline bool SameParameters(std::span<const ParameterView> ours, const ProtoParameters& theirs) {
  std::map<std::string, std::string> our_map;
  for (const ParameterView& p : ours) our_map[std::string(p.key)] = Describe(p);
  std::map<std::string, std::string> their_map;
  for (const auto& [key, value] : theirs) their_map[key] = Describe(value);
  return our_map == their_map;
}

template <typename T, typename List>
std::string BytesOf(const List& list) {
  std::string bytes;
  for (const T value : list) {
    bytes.append(reinterpret_cast<const char*>(&value), sizeof(T));
  }
  return bytes;
}

inline std::string BytesOfStrings(const google::protobuf::RepeatedPtrField<std::string>& list) {
  std::string bytes;
  for (const std::string& text : list) {
    const auto length = static_cast<uint32_t>(text.size());
    bytes.append(reinterpret_cast<const char*>(&length), sizeof(length)).append(text);
  }
  return bytes;
}

inline bool SameField(std::span<const std::string_view> parts, ContentsField field, size_t width,
                      const std::string& expected) {
  const ContentsCounts counts = CountContents(parts);
  size_t size = counts.elements[static_cast<int>(field)] * width;
  if (field == ContentsField::kBytes) size += counts.string_bytes;
  if (size != expected.size()) return false;
  std::string copied(size, '\x5a');
  CopyContents(parts, field, width, copied.data());
  return copied == expected;
}

inline bool SameContents(std::span<const std::string_view> parts,
                         const inference::InferTensorContents& c) {
  return SameField(parts, ContentsField::kBool, 1, BytesOf<bool>(c.bool_contents())) &&
         SameField(parts, ContentsField::kInt32, 4, BytesOf<int32_t>(c.int_contents())) &&
         SameField(parts, ContentsField::kInt32, 2, BytesOf<int16_t>(c.int_contents())) &&
         SameField(parts, ContentsField::kInt32, 1, BytesOf<int8_t>(c.int_contents())) &&
         SameField(parts, ContentsField::kInt64, 8, BytesOf<int64_t>(c.int64_contents())) &&
         SameField(parts, ContentsField::kUint32, 4, BytesOf<uint32_t>(c.uint_contents())) &&
         SameField(parts, ContentsField::kUint64, 8, BytesOf<uint64_t>(c.uint64_contents())) &&
         SameField(parts, ContentsField::kFp32, 4, BytesOf<float>(c.fp32_contents())) &&
         SameField(parts, ContentsField::kFp64, 8, BytesOf<double>(c.fp64_contents())) &&
         SameField(parts, ContentsField::kBytes, 4, BytesOfStrings(c.bytes_contents()));
}

inline std::string DifferenceOfInput(const InferRequestView& view, const InputTensorView& ours,
                                     const inference::ModelInferRequest::InferInputTensor& theirs) {
  if (ours.name != theirs.name()) return "input name";
  if (ours.datatype != theirs.datatype()) return "datatype";
  const auto shape = view.ShapeOf(ours);
  if (!std::equal(shape.begin(), shape.end(), theirs.shape().begin(), theirs.shape().end())) {
    return "shape";
  }
  if (!SameParameters(view.ParametersOf(ours.parameters), theirs.parameters())) {
    return "input parameters";
  }
  if ((ours.contents.count > 0) != theirs.has_contents()) return "presence of contents";
  return SameContents(view.ContentsOf(ours), theirs.contents()) ? "" : "contents";
}

// Empty: the same; else what differs.
inline std::string Difference(const InferRequestView& ours, const InferRequestBytes& bytes,
                              const inference::ModelInferRequest& theirs) {
  if (ours.model_name != theirs.model_name()) return "model_name";
  if (ours.model_version != theirs.model_version()) return "model_version";
  if (ours.id != theirs.id()) return "id";
  if (!SameParameters(ours.parameters.Sub(0, ours.parameters.size()), theirs.parameters())) {
    return "parameters";
  }
  if (ours.inputs.size() != static_cast<size_t>(theirs.inputs_size())) return "inputs";
  for (size_t i = 0; i < ours.inputs.size(); ++i) {
    const std::string found =
        DifferenceOfInput(ours, ours.inputs[i], theirs.inputs(static_cast<int>(i)));
    if (!found.empty()) return found + " of input " + std::to_string(i);
  }
  if (ours.outputs.size() != static_cast<size_t>(theirs.outputs_size())) return "outputs";
  for (size_t i = 0; i < ours.outputs.size(); ++i) {
    const auto& output = theirs.outputs(static_cast<int>(i));
    if (ours.outputs[i].name != output.name()) return "output name";
    if (!SameParameters(ours.ParametersOf(ours.outputs[i].parameters), output.parameters())) {
      return "output parameters";
    }
  }
  if (ours.raw_inputs.size() != static_cast<size_t>(theirs.raw_input_contents_size())) {
    return "raw inputs";
  }
  for (size_t i = 0; i < ours.raw_inputs.size(); ++i) {
    const Slice raw = bytes.RawInput(ours, i);
    if (raw.view() != theirs.raw_input_contents(static_cast<int>(i))) return "a raw input";
  }
  return "";
}

// Parses the whole message with both. Empty: they agree (also in refusing it).
inline std::string CompareWhole(std::string_view message) {
  inference::ModelInferRequest theirs;
  const bool is_theirs_ok = theirs.ParseFromArray(message.data(), static_cast<int>(message.size()));
  InferRequestView ours;
  const bool is_ours_ok = ParseInferRequest(message, &ours).ok();
  if (is_ours_ok != is_theirs_ok) return is_ours_ok ? "only we accept" : "only they accept";
  if (!is_ours_ok) return "";
  InferRequestBytes bytes;
  bytes.head = Slice(nullptr, message.data(), message.size());
  return Difference(ours, bytes, theirs);
}

// The same with the message arriving in two parts, the first of `cut` bytes.
inline std::string CompareAssembled(std::string_view message, size_t cut, BlockPool* pool) {
  inference::ModelInferRequest theirs;
  const bool is_theirs_ok = theirs.ParseFromArray(message.data(), static_cast<int>(message.size()));
  InferRequestAssembler assembler(static_cast<uint32_t>(message.size()), pool);
  assembler.Append(message.substr(0, cut));
  assembler.Append(message.substr(cut));
  const Result<InferRequestBytes> bytes = assembler.Finish();
  InferRequestView ours;
  const bool is_ours_ok = bytes.ok() && ParseInferRequest(bytes->head.view(), &ours).ok();
  if (is_ours_ok != is_theirs_ok) return is_ours_ok ? "only we accept" : "only they accept";
  return is_ours_ok ? Difference(ours, *bytes, theirs) : "";
}

}  // namespace pt::wire::test
