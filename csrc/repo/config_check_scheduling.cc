#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "repo/config_check.h"
#include "wire/proto/model_config.pb.h"

namespace pt::repo {
namespace {

using Control = inference::ModelSequenceBatching::Control;

// `before`: "dynamic batching " or "sequence batching ".
template <typename Sizes>
Status CheckPreferredSizes(const inference::ModelConfig& config, const Sizes& sizes,
                           const std::string& before) {
  for (const int32_t size : sizes) {
    if (size <= 0) {
      return RefuseConfig(config, before + " must be positive", "got " + std::to_string(size));
    }
    if (size > config.max_batch_size()) {
      return RefuseConfig(config, before + " must be <= max batch size",
                          "got " + std::to_string(size) + " and max_batch_size " +
                              std::to_string(config.max_batch_size()));
    }
  }
  return {};
}

Status CheckPriorities(const inference::ModelConfig& config) {
  const auto& batching = config.dynamic_batching();
  const uint64_t levels = batching.priority_levels();
  const std::string range = "in range [1, " + std::to_string(levels) + "]";
  if (levels > 0) {
    const uint64_t level = batching.default_priority_level();
    if (level < 1 || level > levels) {
      return RefuseConfig(config, "default priority level must be " + range,
                          "got " + std::to_string(level));
    }
  }
  for (const auto& [level, policy] : batching.priority_queue_policy()) {
    if (level >= 1 && level <= levels) continue;
    return RefuseConfig(config, "priority queue policy must have priority level " + range,
                        "got " + std::to_string(level));
  }
  return {};
}

Status CheckOrdering(const inference::ModelConfig& config) {
  const auto& batching = config.dynamic_batching();
  if (!batching.preserve_ordering()) return {};
  if (batching.priority_levels() > 1) {
    return RefuseConfig(config,
                        "Only one priority level is allowed when 'preserve_ordering' is true",
                        "remove one of the two");
  }
  // Without a time-out nothing is ever delayed.
  const auto delays = [](const inference::ModelQueuePolicy& policy) {
    return policy.timeout_action() == inference::ModelQueuePolicy::DELAY &&
           policy.default_timeout_microseconds() != 0;
  };
  const auto& levels = batching.priority_queue_policy();
  if (!delays(batching.default_queue_policy()) &&
      std::none_of(levels.begin(), levels.end(),
                   [&](const auto& level) { return delays(level.second); })) {
    return {};
  }
  return RefuseConfig(config,
                      "Queue policy can not have DELAY as timeout action when 'preserve_ordering' "
                      "is true",
                      "use REJECT");
}

bool IsCorrelationType(inference::DataType type) {
  return type == inference::TYPE_UINT64 || type == inference::TYPE_INT64 ||
         type == inference::TYPE_UINT32 || type == inference::TYPE_INT32 ||
         type == inference::TYPE_STRING;
}

Status CheckCorrelationControl(const inference::ModelConfig& config, const Control& control) {
  const std::string kind = Control::Kind_Name(control.kind());
  if (!control.int32_false_true().empty() || !control.fp32_false_true().empty() ||
      !control.bool_false_true().empty()) {
    return RefuseConfig(config,
                        "sequence batching must not specify either 'int32_false_true', "
                        "'fp32_false_true' or 'bool_false_true' for " +
                            kind,
                        "");
  }
  if (IsCorrelationType(control.data_type())) return {};
  return InvalidArgument("unexpected data type for control " + kind + " for " + config.name() +
                         ". Allowed data types are TYPE_UINT64, TYPE_INT64, TYPE_UINT32, "
                         "TYPE_INT32 and TYPE_STRING");
}

Status CheckBooleanControl(const inference::ModelConfig& config, const Control& control) {
  const std::string kind = Control::Kind_Name(control.kind());
  const std::string names =
      "'int32_false_true', 'fp32_false_true' or 'bool_false_true' for " + kind;
  const int given = (control.int32_false_true().empty() ? 0 : 1) +
                    (control.fp32_false_true().empty() ? 0 : 1) +
                    (control.bool_false_true().empty() ? 0 : 1);
  if (given == 0) {
    return RefuseConfig(config, "sequence batching must specify either " + names, "");
  }
  if (given > 1) {
    return RefuseConfig(config, "sequence batching specifies more than one from " + names, "");
  }
  const auto check = [&](int count, const std::string& field) -> Status {
    if (count == 0 || count == 2) return {};
    return RefuseConfig(
        config, "sequence batching control '" + field + "' must have exactly 2 entries for " + kind,
        "got " + std::to_string(count));
  };
  PT_RETURN_IF_ERROR(check(control.int32_false_true_size(), "int32_false_true"));
  PT_RETURN_IF_ERROR(check(control.fp32_false_true_size(), "fp32_false_true"));
  return check(control.bool_false_true_size(), "bool_false_true");
}

Status CheckControls(const inference::ModelConfig& config) {
  std::set<std::string> names;
  std::set<Control::Kind> kinds;
  for (const auto& input : config.sequence_batching().control_input()) {
    if (input.name().empty()) {
      return RefuseConfig(config, "sequence batching control tensor must have a name", "");
    }
    if (!names.insert(input.name()).second) {
      return RefuseConfig(config,
                          "sequence batching control tensor '" + input.name() +
                              "' is specified for multiple control kinds",
                          "");
    }
    for (const Control& control : input.control()) {
      if (!kinds.insert(control.kind()).second) {
        return RefuseConfig(config,
                            "sequence batching specifies multiple " +
                                Control::Kind_Name(control.kind()) + " tensors",
                            "");
      }
      PT_RETURN_IF_ERROR(control.kind() == Control::CONTROL_SEQUENCE_CORRID
                             ? CheckCorrelationControl(config, control)
                             : CheckBooleanControl(config, control));
    }
  }
  return {};
}

}  // namespace

Status CheckDynamicBatching(const inference::ModelConfig& config) {
  if (!config.has_dynamic_batching()) return {};
  PT_RETURN_IF_ERROR(CheckPreferredSizes(config, config.dynamic_batching().preferred_batch_size(),
                                         "dynamic batching preferred size"));
  PT_RETURN_IF_ERROR(CheckPriorities(config));
  return CheckOrdering(config);
}

Status CheckSequenceBatching(const inference::ModelConfig& config) {
  if (!config.has_sequence_batching()) return {};
  const auto& sequence = config.sequence_batching();
  PT_RETURN_IF_ERROR(CheckControls(config));
  if (sequence.has_oldest()) {
    PT_RETURN_IF_ERROR(CheckPreferredSizes(config, sequence.oldest().preferred_batch_size(),
                                           "sequence batching preferred batch size"));
  }
  if (sequence.has_direct()) {
    const float least = sequence.direct().minimum_slot_utilization();
    if (std::isnan(least) || least < 0 || least > 1) {
      return RefuseConfig(config,
                          "sequence batching minimum slot utilization must be in range (0.0, 1.0]",
                          "got " + std::to_string(least));
    }
  }
  return {};
}

// What the steps say about each other is the ensemble scheduler's affair.
Status CheckEnsemble(const inference::ModelConfig& config) {
  const std::string of_model = " for ensemble '" + config.name() + "'";
  if (config.platform() != "ensemble") {
    if (!config.has_ensemble_scheduling()) return {};
    return InvalidArgument("ensemble scheduling cannot be set for model '" + config.name() +
                           "' whose platform is not ensemble");
  }
  if (!config.has_ensemble_scheduling()) {
    return InvalidArgument("ensemble scheduling must be set for ensemble " + config.name() +
                           " whose platform is ensemble");
  }
  if (!config.instance_group().empty()) {
    return InvalidArgument("instance group should not be specified" + of_model);
  }
  if (config.has_optimization()) {
    return InvalidArgument("optimization should not be specified" + of_model);
  }
  if (!config.model_warmup().empty()) {
    return InvalidArgument("model_warmup can not be specified" + of_model);
  }
  return {};
}

}  // namespace pt::repo
