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

// Bytes of the ModelInferResponse.
uint64_t InferResponseSize(const InferResponseData& response);

// One ModelInferResponse. Empty: no memory. REQUIRES: at most kMaxMessageBytes.
SliceList EncodeInferResponse(const InferResponseData& response, BlockPool* pool);

// One ModelStreamInferResponse: `response` inside, and the error text where it is not empty.
SliceList EncodeStreamResponse(const InferResponseData& response, std::string_view error_message,
                               BlockPool* pool);

}  // namespace pt::wire
