// The inputs of one warm-up sample: its tensors, made of zeros, random values or a file.
//
// Thread rule: pure, except that it reads files.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "infer/request.h"
#include "infer/validate.h"

namespace inference {
class ModelWarmup;
}

namespace pt::repo {

// `batch`: the size of the batch dimension, 0 without one. Names borrow from `sample`. Errors:
// InvalidArgument for a sample that can't be made, Internal for a file that can't be read,
// Unsupported for one outside of the model's directory.
Result<NamedInputs> MakeWarmUpInputs(const inference::ModelWarmup& sample,
                                     const std::string& model_dir, int64_t batch);

}  // namespace pt::repo
