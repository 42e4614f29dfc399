// What a C++ host says about its model, checked and turned into the core's ModelConfig.
//
// Thread rule: pure.
#pragma once

#include "base/status.h"
#include "infer/model_config.h"
#include "pytriton/server.h"

namespace pt::server {

// Errors: InvalidArgument that names the field, what was expected and what came.
Result<ModelConfig> ToCoreConfig(const pytriton::ModelConfig& config);

// "Invalid argument" and the message; an empty code for OK.
pytriton::Status ToPublicStatus(const Status& status);

}  // namespace pt::server
