// What a configuration means where it is silent: backend and platform from the model's files, and
// Triton's defaults (spec/triton-core 1.3, 1.4).
//
// Thread rule: pure functions over a message and, for files, the model's directory.
#pragma once

#include "base/status.h"
#include "repo/config_document.h"

namespace inference {
class ModelConfig;
}

namespace pt::repo {

// Fills backend, platform and default_model_filename. Errors: InvalidArgument when nothing tells
// the backend.
Status FillBackend(const ConfigPlace& place, inference::ModelConfig* config);

// Version policy, preferred batch sizes, pinned memory and the like.
void FillDefaults(inference::ModelConfig* config);

// Instance groups: one at least, named, with count and kind.
void FillInstanceGroups(const ConfigPlace& place, inference::ModelConfig* config);

}  // namespace pt::repo
