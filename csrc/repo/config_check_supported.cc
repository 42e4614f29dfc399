#include "repo/config_check.h"
#include "wire/proto/model_config.pb.h"

namespace pt::repo {
namespace {

Status NotSupported(const inference::ModelConfig& config, std::string_view what,
                    std::string_view mend) {
  return Unsupported("this server does not support " + std::string(what) + " yet, asked for by " +
                     "model '" + config.name() + "': " + std::string(mend));
}

}  // namespace

Status CheckSupported(const inference::ModelConfig& config) {
  if (config.has_sequence_batching()) {
    return NotSupported(config, "sequence_batching",
                        "remove it, or keep the state of sequences in the model");
  }
  if (config.has_ensemble_scheduling()) {
    return NotSupported(config, "ensemble_scheduling",
                        "call the steps from a python model instead");
  }
  if (!config.model_repository_agents().agents().empty()) {
    return NotSupported(config, "model_repository_agents",
                        "do what agent '" + config.model_repository_agents().agents(0).name() +
                            "' does before the model is copied here");
  }
  if (config.parameters().contains("TRITON_BATCH_STRATEGY_PATH")) {
    return NotSupported(config, "custom batching libraries",
                        "remove parameter TRITON_BATCH_STRATEGY_PATH");
  }
  // Triton looks for this library and runs it in place of the backend's own.
  const std::string own = "libtriton_" + config.backend() + ".so";
  if (!config.runtime().empty() && config.runtime() != own && config.runtime() != "model.py") {
    return InvalidArgument("unable to find backend library '" + config.runtime() + "' for model '" +
                           config.name() +
                           "': this server runs no backend libraries, remove 'runtime'");
  }
  // Backends make these tensors, and the python backend does not, as in Triton.
  const bool has_batch_tensors = !config.batch_input().empty() || !config.batch_output().empty();
  if (has_batch_tensors && config.backend() != "python") {
    return NotSupported(config, "batch_input and batch_output",
                        "let the model count the elements of its requests");
  }
  return {};
}

}  // namespace pt::repo
