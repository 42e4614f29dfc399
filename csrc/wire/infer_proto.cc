#include "wire/infer_proto.h"

#include "wire/infer_contents.h"
#include "wire/proto_reader.h"

namespace pt::wire {
namespace {

// The value of a map entry, an InferParameter: of its fields the last one counts.
bool ReadParameterValue(std::string_view message, int depth, ParameterView* parameter) {
  ProtoReader reader(message, depth);
  while (reader.Next()) {
    if (reader.Is(1, WireType::kVarint)) {
      if (!reader.ReadVarint(&parameter->bits)) return false;
      parameter->bits = parameter->bits != 0;
      parameter->kind = ParameterKind::kBool;
    } else if (reader.Is(2, WireType::kVarint)) {
      if (!reader.ReadVarint(&parameter->bits)) return false;
      parameter->kind = ParameterKind::kInt64;
    } else if (reader.Is(3, WireType::kBytes)) {
      if (!reader.ReadString(&parameter->text)) return false;
      parameter->kind = ParameterKind::kString;
    } else if (reader.Is(4, WireType::kFixed64)) {
      if (!reader.ReadFixed64(&parameter->bits)) return false;
      parameter->kind = ParameterKind::kDouble;
    } else if (reader.Is(5, WireType::kVarint)) {
      if (!reader.ReadVarint(&parameter->bits)) return false;
      parameter->kind = ParameterKind::kUint64;
    } else if (!reader.Skip()) {
      return false;
    }
  }
  return reader.ok();
}

// An entry of map<string, InferParameter>; a missing key or value is the empty one.
bool ReadParameter(ProtoReader& outer, ParameterView* parameter) {
  std::string_view message;
  if (!outer.ReadBytes(&message)) return false;
  ProtoReader reader(message, outer.depth() + 1);
  while (reader.Next()) {
    if (reader.Is(1, WireType::kBytes)) {
      if (!reader.ReadString(&parameter->key)) return false;
    } else if (reader.Is(2, WireType::kBytes)) {
      std::string_view value;
      if (!reader.ReadBytes(&value)) return false;
      if (!ReadParameterValue(value, reader.depth() + 1, parameter)) return false;
    } else if (!reader.Skip()) {
      return false;
    }
  }
  return reader.ok();
}

template <size_t N>
bool AddParameter(ProtoReader& reader, SmallList<ParameterView, N>* list) {
  return ReadParameter(reader, &list->push_back({}));
}

bool AddPackedDims(ProtoReader& outer, InferRequestView* view) {
  std::string_view packed;
  if (!outer.ReadBytes(&packed)) return false;
  ProtoReader reader(packed);
  while (!reader.at_end()) {
    uint64_t dim = 0;
    if (!reader.ReadVarint(&dim)) return false;
    view->dims.push_back(static_cast<int64_t>(dim));
  }
  return reader.ok();
}

bool AddDim(ProtoReader& reader, InferRequestView* view) {
  uint64_t dim = 0;
  if (!reader.ReadVarint(&dim)) return false;
  view->dims.push_back(static_cast<int64_t>(dim));
  return true;
}

bool AddContents(ProtoReader& reader, InferRequestView* view) {
  std::string_view contents;
  if (!reader.ReadBytes(&contents)) return false;
  view->contents.push_back(contents);
  return CheckContents(contents, reader.depth() + 1);
}

template <typename List>
uint32_t SizeOf(const List& list) {
  return static_cast<uint32_t>(list.size());
}

bool ReadInputField(ProtoReader& reader, InferRequestView* view, InputTensorView* input) {
  if (reader.Is(1, WireType::kBytes)) return reader.ReadString(&input->name);
  if (reader.Is(2, WireType::kBytes)) return reader.ReadString(&input->datatype);
  if (reader.Is(3, WireType::kBytes)) return AddPackedDims(reader, view);
  if (reader.Is(3, WireType::kVarint)) return AddDim(reader, view);
  if (reader.Is(4, WireType::kBytes)) return AddParameter(reader, &view->tensor_parameters);
  if (reader.Is(5, WireType::kBytes)) return AddContents(reader, view);
  return reader.Skip();
}

bool AddInput(ProtoReader& outer, InferRequestView* view) {
  std::string_view message;
  if (!outer.ReadBytes(&message)) return false;
  InputTensorView input;
  input.shape.first = SizeOf(view->dims);
  input.parameters.first = SizeOf(view->tensor_parameters);
  input.contents.first = SizeOf(view->contents);
  ProtoReader reader(message, outer.depth() + 1);
  while (reader.Next()) {
    if (!ReadInputField(reader, view, &input)) return false;
  }
  input.shape.count = SizeOf(view->dims) - input.shape.first;
  input.parameters.count = SizeOf(view->tensor_parameters) - input.parameters.first;
  input.contents.count = SizeOf(view->contents) - input.contents.first;
  view->inputs.push_back(input);
  return reader.ok();
}

bool AddOutput(ProtoReader& outer, InferRequestView* view) {
  std::string_view message;
  if (!outer.ReadBytes(&message)) return false;
  OutputRequestView output;
  output.parameters.first = SizeOf(view->tensor_parameters);
  ProtoReader reader(message, outer.depth() + 1);
  while (reader.Next()) {
    bool is_read = false;
    if (reader.Is(1, WireType::kBytes)) {
      is_read = reader.ReadString(&output.name);
    } else if (reader.Is(2, WireType::kBytes)) {
      is_read = AddParameter(reader, &view->tensor_parameters);
    } else {
      is_read = reader.Skip();
    }
    if (!is_read) return false;
  }
  output.parameters.count = SizeOf(view->tensor_parameters) - output.parameters.first;
  view->outputs.push_back(output);
  return reader.ok();
}

bool ReadRequestField(ProtoReader& reader, InferRequestView* view) {
  if (reader.type() != WireType::kBytes) return reader.Skip();
  switch (reader.field()) {
    case 1:
      return reader.ReadString(&view->model_name);
    case 2:
      return reader.ReadString(&view->model_version);
    case 3:
      return reader.ReadString(&view->id);
    case 4:
      return AddParameter(reader, &view->parameters);
    case 5:
      return view->inputs.size() < kMaxRequestTensors && AddInput(reader, view);
    case 6:
      return view->outputs.size() < kMaxRequestTensors && AddOutput(reader, view);
    case 7:
      return view->raw_inputs.size() < kMaxRequestTensors &&
             reader.ReadBytes(&view->raw_inputs.push_back({}));
    default:
      return reader.Skip();
  }
}

}  // namespace

Status ParseInferRequest(std::string_view message, InferRequestView* view) {
  ProtoReader reader(message);
  while (reader.Next()) {
    if (!ReadRequestField(reader, view)) return UnparsableRequest();
  }
  return reader.ok() ? Status() : UnparsableRequest();
}

Status UnparsableRequest() { return Internal("Unable to parse request"); }

}  // namespace pt::wire
