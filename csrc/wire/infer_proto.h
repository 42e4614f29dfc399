// Reads ModelInferRequest (wire/proto/infer.proto) as views into its bytes: nothing is copied, and
// a request of usual size needs no allocation. What it accepts, and the values it finds, are those
// of libprotobuf's parser.
//
// Not validation: names, types and shapes mean nothing here.
// Thread rule: pure functions and values.
// Owner rule: views are valid as long as the bytes that were parsed.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/status.h"
#include "wire/small_list.h"

namespace pt::wire {

enum class ParameterKind : uint8_t { kUnset, kBool, kInt64, kString, kDouble, kUint64 };

// Inputs, outputs and raw inputs of one request, each: empty ones cost two bytes on the wire and
// many here.
inline constexpr size_t kMaxRequestTensors = 1 << 16;

// One entry of a parameters map. Of entries with one key the last counts.
struct ParameterView {
  std::string_view key;
  std::string_view text;  // kString
  uint64_t bits = 0;      // the others
  ParameterKind kind = ParameterKind::kUnset;

  bool AsBool() const { return bits != 0; }
  int64_t AsInt64() const { return static_cast<int64_t>(bits); }
  uint64_t AsUint64() const { return bits; }
  double AsDouble() const { return std::bit_cast<double>(bits); }
};

// A part of one of the lists in InferRequestView.
struct Range {
  uint32_t first = 0;
  uint32_t count = 0;
};

struct InputTensorView {
  std::string_view name;
  std::string_view datatype;
  Range shape;       // of dims
  Range parameters;  // of tensor_parameters
  Range contents;    // of contents; more than one when the client sent the field in pieces
};

struct OutputRequestView {
  std::string_view name;
  Range parameters;  // of tensor_parameters
};

struct InferRequestView {
  std::string_view model_name;
  std::string_view model_version;
  std::string_view id;
  SmallList<ParameterView, 8> parameters;
  SmallList<InputTensorView, 8> inputs;
  SmallList<OutputRequestView, 8> outputs;
  SmallList<std::string_view, 8> raw_inputs;
  // What the ranges of inputs and outputs are parts of.
  SmallList<int64_t, 32> dims;
  SmallList<ParameterView, 8> tensor_parameters;
  SmallList<std::string_view, 4> contents;  // InferTensorContents, checked: see infer_contents.h

  std::span<const int64_t> ShapeOf(const InputTensorView& input) const {
    return dims.Sub(input.shape.first, input.shape.count);
  }
  std::span<const ParameterView> ParametersOf(Range range) const {
    return tensor_parameters.Sub(range.first, range.count);
  }
  std::span<const std::string_view> ContentsOf(const InputTensorView& input) const {
    return contents.Sub(input.contents.first, input.contents.count);
  }
};

// Parses one message. REQUIRES: `view` is empty.
// Errors: Internal "Unable to parse request" (what Triton says), `view` is then of no use.
Status ParseInferRequest(std::string_view message, InferRequestView* view);

// The status of every malformed message.
Status UnparsableRequest();

}  // namespace pt::wire
