// The conditions of spec/triton-core 1.5 as functions: what is wrong with a configuration. The
// texts begin as Triton's do, because operators match on them, and go on with the mend.
//
// Thread rule: pure.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "repo/config_document.h"

namespace inference {
class ModelConfig;
}

namespace pt::repo {

// "TEXT for MODEL: MEND" as InvalidArgument; nothing after the model without a mend.
Status RefuseConfig(const inference::ModelConfig& config, std::string_view text,
                    std::string_view mend);

// Before the backend had its say (poll stage). Errors: InvalidArgument.
Status CheckEarly(const inference::ModelConfig& config);
// Parts of it.
Status CheckBackendPair(const inference::ModelConfig& config);
Status CheckDynamicBatching(const inference::ModelConfig& config);
Status CheckSequenceBatching(const inference::ModelConfig& config);
Status CheckEnsemble(const inference::ModelConfig& config);

// Inputs, outputs, batch inputs and batch outputs. Errors: InvalidArgument.
Status CheckTensors(const inference::ModelConfig& config);
// Instance groups. REQUIRES: FillInstanceGroups.
Status CheckInstanceGroups(const ConfigPlace& place, const inference::ModelConfig& config);
// What this server does not do. Errors: Unsupported.
Status CheckSupported(const inference::ModelConfig& config);

}  // namespace pt::repo
