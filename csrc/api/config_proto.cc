#include "api/config_proto.h"

#include "base/status.h"
#include "wire/proto/control.pb.h"
#include "wire/proto/model_config.pb.h"
#include "wire/proto_json.h"

namespace pt::api {
namespace {

// The enums have one order of their own in the protocol.
inference::DataType ToProto(DataType type) {
  inference::DataType proto = inference::TYPE_INVALID;
  inference::DataType_Parse(std::string(DataTypeConfigName(type)), &proto);
  return proto;
}

void FillInput(const TensorSpec& spec, inference::ModelInput* input) {
  input->set_name(spec.name);
  input->set_data_type(ToProto(spec.type));
  for (const int64_t dim : spec.dims.dims()) input->add_dims(dim);
  input->set_allow_ragged_batch(spec.allows_ragged);
  input->set_optional(spec.is_optional);
}

void FillOutput(const TensorSpec& spec, inference::ModelOutput* output) {
  output->set_name(spec.name);
  output->set_data_type(ToProto(spec.type));
  for (const int64_t dim : spec.dims.dims()) output->add_dims(dim);
}

void FillQueuePolicy(const QueuePolicy& policy, inference::ModelQueuePolicy* proto) {
  proto->set_timeout_action(policy.timeout_action == TimeoutAction::kDelay
                                ? inference::ModelQueuePolicy::DELAY
                                : inference::ModelQueuePolicy::REJECT);
  proto->set_default_timeout_microseconds(policy.default_timeout_us);
  proto->set_allow_timeout_override(policy.allow_timeout_override);
  proto->set_max_queue_size(policy.max_queue_size);
}

bool IsDefault(const QueuePolicy& policy) {
  return policy.timeout_action == TimeoutAction::kReject && policy.default_timeout_us == 0 &&
         !policy.allow_timeout_override && policy.max_queue_size == 0;
}

void FillBatching(const ModelConfig& config, inference::ModelDynamicBatching* proto) {
  const DynamicBatching& batching = config.dynamic_batching;
  for (const int32_t size : batching.preferred_batch_sizes) proto->add_preferred_batch_size(size);
  if (batching.preferred_batch_sizes.empty() && config.max_batch_size > 0) {
    proto->add_preferred_batch_size(static_cast<int32_t>(config.max_batch_size));
  }
  proto->set_max_queue_delay_microseconds(batching.max_queue_delay_us);
  proto->set_preserve_ordering(batching.preserve_ordering);
  proto->set_priority_levels(batching.priority_levels);
  proto->set_default_priority_level(batching.default_priority_level);
  if (!IsDefault(batching.default_queue_policy)) {
    FillQueuePolicy(batching.default_queue_policy, proto->mutable_default_queue_policy());
  }
  for (const auto& [level, policy] : batching.priority_queue_policies) {
    FillQueuePolicy(policy, &(*proto->mutable_priority_queue_policy())[level]);
  }
}

inference::ModelInstanceGroup::Kind ToProto(InstanceKind kind) {
  switch (kind) {
    case InstanceKind::kAuto:
      return inference::ModelInstanceGroup::KIND_AUTO;
    case InstanceKind::kCpu:
      return inference::ModelInstanceGroup::KIND_CPU;
    case InstanceKind::kGpu:
      return inference::ModelInstanceGroup::KIND_GPU;
    case InstanceKind::kModel:
      break;
  }
  return inference::ModelInstanceGroup::KIND_MODEL;
}

void FillGroups(const ModelConfig& config, inference::ModelConfig* proto) {
  std::vector<InstanceGroup> groups = config.instance_groups;
  if (groups.empty()) groups.emplace_back();
  for (size_t i = 0; i < groups.size(); ++i) {
    auto* group = proto->add_instance_group();
    group->set_name(groups[i].name.empty() ? config.name + "_" + std::to_string(i)
                                           : groups[i].name);
    group->set_kind(ToProto(groups[i].kind));
    group->set_count(groups[i].count);
    for (const int gpu : groups[i].gpus) group->add_gpus(gpu);
  }
}

void Fill(const ModelConfig& config, inference::ModelConfig* proto) {
  proto->set_name(config.name);
  proto->set_platform(config.platform);
  proto->set_backend(config.backend);
  proto->mutable_version_policy()->mutable_latest()->set_num_versions(1);
  proto->set_max_batch_size(static_cast<int32_t>(config.max_batch_size));
  for (const TensorSpec& spec : config.inputs) FillInput(spec, proto->add_input());
  for (const TensorSpec& spec : config.outputs) FillOutput(spec, proto->add_output());
  proto->mutable_optimization()->mutable_input_pinned_memory()->set_enable(true);
  proto->mutable_optimization()->mutable_output_pinned_memory()->set_enable(true);
  if (config.scheduler == SchedulerKind::kDynamic) {
    FillBatching(config, proto->mutable_dynamic_batching());
  }
  FillGroups(config, proto);
  for (const auto& [key, value] : config.parameters) {
    (*proto->mutable_parameters())[key].set_string_value(value);
  }
  if (config.is_decoupled) proto->mutable_model_transaction_policy()->set_decoupled(true);
  if (config.response_cache) proto->mutable_response_cache()->set_enable(true);
}

}  // namespace

std::string ModelConfigProto(const ModelConfig& config) {
  if (!config.document_proto.empty()) return config.document_proto;
  inference::ModelConfig proto;
  Fill(config, &proto);
  return proto.SerializeAsString();
}

std::string ModelConfigResponseProto(const ModelConfig& config) {
  inference::ModelConfigResponse response;
  if (config.document_proto.empty()) {
    Fill(config, response.mutable_config());
  } else if (!response.mutable_config()->ParseFromString(config.document_proto)) {
    PT_DCHECK(false);  // whoever set it serialized the same message
  }
  return response.SerializeAsString();
}

std::string ModelConfigJson(const ModelConfig& config) {
  if (!config.document_json.empty()) return config.document_json;
  inference::ModelConfig proto;
  Fill(config, &proto);
  return wire::ProtoJson(proto);
}

}  // namespace pt::api
