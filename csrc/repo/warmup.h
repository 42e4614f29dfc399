// Warm-up (model_warmup of a configuration, spec/triton-core 3.9): every instance runs the samples
// on its own thread when it starts, before it gets a request and before the model is published. A
// sample that fails is the reason why the load fails.
//
// Thread rule: WithWarmUp on the load thread, before the model's scheduler is made.
// Owner rule: the wrapper owns `inner`; `model` outlives it.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "infer/backend.h"
#include "infer/model.h"

namespace pt::repo {

// `inner`, with instances that warm up in Start; `inner` itself when the configuration of `model`
// has no samples. Files are read from <model_dir>/warmup when an instance starts.
std::unique_ptr<Backend> WithWarmUp(std::unique_ptr<Backend> inner, Model* model,
                                    std::string model_dir);

}  // namespace pt::repo
