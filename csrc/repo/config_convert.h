// inference.ModelConfig -> pt::ModelConfig, what the core works with.
//
// Thread rule: pure.
#pragma once

#include "infer/model_config.h"

namespace inference {
class ModelConfig;
}

namespace pt::repo {

// kInvalid for a number that is no inference.DataType.
DataType DataTypeOf(int proto_type);

// Everything but the labels and the document fields. REQUIRES: the configuration passed every
// check.
ModelConfig ToModelConfig(const inference::ModelConfig& config, int64_t version);

}  // namespace pt::repo
