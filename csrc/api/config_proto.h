// A model's configuration as inference.ModelConfig: protobuf bytes for gRPC and the JSON form of
// REST (spec/triton-frontend 1.6). What Triton fills in by itself is filled in here.
//
// Thread rule: pure functions.
#pragma once

#include <string>

#include "infer/model_config.h"

namespace pt::api {

// Serialized inference.ModelConfig.
std::string ModelConfigProto(const ModelConfig& config);

// Serialized inference.ModelConfigResponse.
std::string ModelConfigResponseProto(const ModelConfig& config);

// JSON with the .proto names in the .proto order, defaults written out, 64-bit integers as numbers.
std::string ModelConfigJson(const ModelConfig& config);

}  // namespace pt::api
