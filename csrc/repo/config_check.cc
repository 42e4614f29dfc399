#include "repo/config_check.h"

#include <algorithm>
#include <array>

#include "wire/proto/model_config.pb.h"

namespace pt::repo {
namespace {

struct Pair {
  std::string_view backend;
  std::string_view platform;
};
// Backends that Triton knows by platform. Others (python, openvino, ...) take any platform.
constexpr std::array<Pair, 7> kPairs = {{
    {"tensorrt", "tensorrt_plan"},
    {"tensorflow", "tensorflow_graphdef"},
    {"tensorflow", "tensorflow_savedmodel"},
    {"onnxruntime", "onnxruntime_onnx"},
    {"pytorch", "pytorch_libtorch"},
    {"pytorch", "libtorch"},
    {"pytorch", "torch_aoti"},
}};

Status CheckCache(const inference::ModelConfig& config) {
  if (!config.response_cache().enable()) return {};
  const bool is_sequence = config.has_sequence_batching();
  if (!is_sequence && !config.model_transaction_policy().decoupled()) return {};
  return InvalidArgument(
      "Response Cache does not currently support model " + config.name() + " with " +
      (is_sequence ? "sequence batching scheduler" : "'decoupled' transaction policy") +
      ". Please disable the response cache.");
}

Status CheckMetrics(const inference::ModelConfig& config) {
  for (const auto& control : config.model_metrics().metric_control()) {
    if (!control.has_metric_identifier()) {
      return RefuseConfig(config, "metric control must specify 'metric_identifier'", "");
    }
    if (control.metric_identifier().family().empty()) {
      return RefuseConfig(config, "metric identifier must specify non-empty 'family'", "");
    }
    if (!control.has_histogram_options()) {
      return RefuseConfig(config, "metric control must specify 'histogram_options'", "");
    }
    if (control.histogram_options().buckets().empty()) {
      return RefuseConfig(config, "histogram options must specify non-empty 'buckets'", "");
    }
  }
  return {};
}

}  // namespace

Status RefuseConfig(const inference::ModelConfig& config, std::string_view text,
                    std::string_view mend) {
  std::string message(text);
  message += " for " + config.name();
  if (!mend.empty()) message += ": " + std::string(mend);
  return InvalidArgument(std::move(message));
}

Status CheckBackendPair(const inference::ModelConfig& config) {
  const std::string& platform = config.platform();
  const std::string& backend = config.backend();
  if (platform == "ensemble") {
    if (backend.empty()) return {};
    return InvalidArgument("Ensemble model '" + config.name() +
                           "' must have platform type 'ensemble' and empty backend type");
  }
  if (backend.empty()) {
    return RefuseConfig(config, "unexpected platform type '" + platform + "'",
                        "set 'backend', for example to \"python\" or \"onnxruntime\"");
  }
  const auto knows_backend = [&](const Pair& pair) { return pair.backend == backend; };
  if (platform.empty() || std::none_of(kPairs.begin(), kPairs.end(), knows_backend)) return {};
  const bool fits = std::any_of(kPairs.begin(), kPairs.end(), [&](const Pair& pair) {
    return pair.backend == backend && pair.platform == platform;
  });
  if (fits) return {};
  return InvalidArgument("unexpected 'platform' and 'backend' pair, got:" + platform + ", " +
                         backend + ": remove 'platform' from model " + config.name());
}

Status CheckEarly(const inference::ModelConfig& config) {
  PT_RETURN_IF_ERROR(CheckBackendPair(config));
  if (config.max_batch_size() < 0) {
    return RefuseConfig(config, "'max_batch_size' must be non-negative value",
                        "expected 0 for a model without a batch dimension, got " +
                            std::to_string(config.max_batch_size()));
  }
  PT_RETURN_IF_ERROR(CheckDynamicBatching(config));
  PT_RETURN_IF_ERROR(CheckSequenceBatching(config));
  PT_RETURN_IF_ERROR(CheckEnsemble(config));
  PT_RETURN_IF_ERROR(CheckCache(config));
  return CheckMetrics(config);
}

}  // namespace pt::repo
