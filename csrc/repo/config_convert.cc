#include "repo/config_convert.h"

#include <algorithm>
#include <limits>

#include "wire/proto/model_config.pb.h"

namespace pt::repo {
namespace {

template <typename Dims>
Shape ToShape(const Dims& dims) {
  return Shape(std::span<const int64_t>(dims.data(), static_cast<size_t>(dims.size())));
}

template <typename Tensor>
TensorSpec ToSpec(const Tensor& tensor) {
  TensorSpec spec;
  spec.name = tensor.name();
  spec.type = DataTypeOf(tensor.data_type());
  spec.dims = ToShape(tensor.dims());
  if (tensor.has_reshape()) spec.reshape = ToShape(tensor.reshape().shape());
  return spec;
}

// Levels and sizes beyond 32 bits mean no more than the largest of them.
uint32_t ToLevel(uint64_t level) {
  return static_cast<uint32_t>(std::min<uint64_t>(level, std::numeric_limits<uint32_t>::max()));
}

QueuePolicy ToPolicy(const inference::ModelQueuePolicy& proto) {
  QueuePolicy policy;
  policy.timeout_action = proto.timeout_action() == inference::ModelQueuePolicy::DELAY
                              ? TimeoutAction::kDelay
                              : TimeoutAction::kReject;
  policy.default_timeout_us = proto.default_timeout_microseconds();
  policy.allow_timeout_override = proto.allow_timeout_override();
  policy.max_queue_size = proto.max_queue_size();
  return policy;
}

DynamicBatching ToBatching(const inference::ModelDynamicBatching& proto) {
  DynamicBatching batching;
  batching.preferred_batch_sizes.assign(proto.preferred_batch_size().begin(),
                                        proto.preferred_batch_size().end());
  batching.max_queue_delay_us = proto.max_queue_delay_microseconds();
  batching.preserve_ordering = proto.preserve_ordering();
  batching.priority_levels = ToLevel(proto.priority_levels());
  batching.default_priority_level = ToLevel(proto.default_priority_level());
  batching.default_queue_policy = ToPolicy(proto.default_queue_policy());
  for (const auto& [level, policy] : proto.priority_queue_policy()) {
    batching.priority_queue_policies[ToLevel(level)] = ToPolicy(policy);
  }
  return batching;
}

InstanceKind ToKind(inference::ModelInstanceGroup::Kind kind) {
  switch (kind) {
    case inference::ModelInstanceGroup::KIND_GPU:
      return InstanceKind::kGpu;
    case inference::ModelInstanceGroup::KIND_CPU:
      return InstanceKind::kCpu;
    case inference::ModelInstanceGroup::KIND_MODEL:
      return InstanceKind::kModel;
    default:
      return InstanceKind::kAuto;
  }
}

void FillTensors(const inference::ModelConfig& proto, ModelConfig* config) {
  for (const auto& input : proto.input()) {
    TensorSpec spec = ToSpec(input);
    spec.is_optional = input.optional();
    spec.allows_ragged = input.allow_ragged_batch();
    config->inputs.push_back(std::move(spec));
  }
  for (const auto& output : proto.output()) config->outputs.push_back(ToSpec(output));
}

void FillGroups(const inference::ModelConfig& proto, ModelConfig* config) {
  for (const auto& from : proto.instance_group()) {
    if (from.passive()) continue;  // loaded but never scheduled: the same as not there
    InstanceGroup group;
    group.name = from.name();
    group.kind = ToKind(from.kind());
    group.count = from.count();
    group.gpus.assign(from.gpus().begin(), from.gpus().end());
    config->instance_groups.push_back(std::move(group));
  }
}

}  // namespace

DataType DataTypeOf(int proto_type) {
  switch (proto_type) {
    case inference::TYPE_BOOL:
      return DataType::kBool;
    case inference::TYPE_UINT8:
      return DataType::kUint8;
    case inference::TYPE_UINT16:
      return DataType::kUint16;
    case inference::TYPE_UINT32:
      return DataType::kUint32;
    case inference::TYPE_UINT64:
      return DataType::kUint64;
    case inference::TYPE_INT8:
      return DataType::kInt8;
    case inference::TYPE_INT16:
      return DataType::kInt16;
    case inference::TYPE_INT32:
      return DataType::kInt32;
    case inference::TYPE_INT64:
      return DataType::kInt64;
    case inference::TYPE_FP16:
      return DataType::kFp16;
    case inference::TYPE_FP32:
      return DataType::kFp32;
    case inference::TYPE_FP64:
      return DataType::kFp64;
    case inference::TYPE_STRING:
      return DataType::kBytes;
    case inference::TYPE_BF16:
      return DataType::kBf16;
    default:
      return DataType::kInvalid;
  }
}

ModelConfig ToModelConfig(const inference::ModelConfig& proto, int64_t version) {
  ModelConfig config;
  config.name = proto.name();
  config.version = version;
  config.platform = proto.platform();
  config.backend = proto.backend();
  config.max_batch_size = proto.max_batch_size();
  FillTensors(proto, &config);
  if (proto.has_dynamic_batching()) {
    config.scheduler = SchedulerKind::kDynamic;
    config.dynamic_batching = ToBatching(proto.dynamic_batching());
  }
  FillGroups(proto, &config);
  config.is_decoupled = proto.model_transaction_policy().decoupled();
  config.response_cache = proto.response_cache().enable();
  for (const auto& [key, value] : proto.parameters()) config.parameters[key] = value.string_value();
  config.metric_tags.insert(proto.metric_tags().begin(), proto.metric_tags().end());
  return config;
}

}  // namespace pt::repo
