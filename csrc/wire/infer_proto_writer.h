// Writes ModelInferResponse and ModelStreamInferResponse (wire/proto/infer.proto): one block for
// all fields and small tensors, large tensors by reference. The bytes are those libprotobuf writes,
// fields in the order of their numbers.
//
// Thread rule: pure functions.
// Owner rule: what is given is borrowed for the call, tensor blocks are shared by the result.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/block.h"
#include "wire/infer_proto.h"

namespace pt::wire {

struct OutputTensorData {
  std::string_view name;
  std::string_view datatype;
  std::span<const int64_t> shape;
  const Slice* bytes = nullptr;  // never null when encoded
};

struct InferResponseData {
  std::string_view model_name;
  std::string_view model_version;
  std::string_view id;
  std::span<const ParameterView> parameters;
  std::span<const OutputTensorData> outputs;
};

// Tensors of this size and more are sent from where they are.
inline constexpr size_t kShareBytes = size_t{16} << 10;
// gRPC's limit for one message.
inline constexpr uint64_t kMaxMessageBytes = 0x7fffffff;

// Bytes of a ModelInferResponse, measured once for all who need them.
struct InferResponseSize {
  uint64_t head = 0;    // everything but raw_output_contents
  uint64_t raw = 0;     // raw_output_contents
  uint64_t copied = 0;  // the part of `raw` that is written: heads, and tensors that are not shared

  uint64_t total() const { return head + raw; }
};

InferResponseSize Measure(const InferResponseData& response);

// One ModelInferResponse of the measured `size`. Empty: no memory.
// REQUIRES: at most kMaxMessageBytes.
SliceList EncodeInferResponse(const InferResponseData& response, const InferResponseSize& size,
                              BlockPool* pool);

// One ModelStreamInferResponse: `response` inside, and the error text where it is not empty.
SliceList EncodeStreamResponse(const InferResponseData& response, const InferResponseSize& size,
                               std::string_view error_message, BlockPool* pool);

}  // namespace pt::wire
