#include "server/embed_config.h"

#include <algorithm>
#include <set>
#include <string_view>

namespace pt::server {
namespace {

constexpr int kMaxInstances = 1024;  // each is a thread

std::string Quoted(std::string_view text) { return "'" + std::string(text) + "'"; }

Status CheckName(std::string_view name) {
  if (name.empty()) return InvalidArgument("expected a model name, got an empty one");
  if (name.find('/') != std::string_view::npos) {
    return InvalidArgument("expected a model name without '/', got " + Quoted(name));
  }
  return {};
}

Status CheckNumbers(const pytriton::ModelConfig& config) {
  const auto expected = [&](const char* what, const char* bounds, int64_t got) {
    return InvalidArgument("expected " + std::string(what) + " " + bounds + " for model " +
                           Quoted(config.name) + ", got " + std::to_string(got));
  };
  if (config.version < 1) return expected("a version", ">= 1", config.version);
  if (config.max_batch_size < 0) {
    return expected("max_batch_size", ">= 0", config.max_batch_size);
  }
  if (config.instances < 1 || config.instances > kMaxInstances) {
    return expected("instances", "between 1 and 1024", config.instances);
  }
  for (const int32_t size : config.preferred_batch_sizes) {
    if (size < 1 || size > config.max_batch_size) {
      return expected("preferred batch sizes", "between 1 and max_batch_size", size);
    }
  }
  return {};
}

// `where` is "input" or "output".
Result<TensorSpec> ToCoreSpec(const pytriton::TensorSpec& spec, std::string_view where) {
  const std::string subject = std::string(where) + " " + Quoted(spec.name);
  if (spec.name.empty()) {
    return InvalidArgument("expected a name for each " + std::string(where) + ", got an empty one");
  }
  TensorSpec core;
  core.name = spec.name;
  core.type = ParseDataType(spec.datatype);
  if (core.type == DataType::kInvalid) {
    return InvalidArgument("expected a datatype such as FP32 or BYTES for " + subject + ", got " +
                           Quoted(spec.datatype));
  }
  if (spec.shape.size() >= Shape::kMaxRank) {
    return InvalidArgument("expected fewer than " + std::to_string(Shape::kMaxRank) +
                           " dimensions for " + subject + ", got " +
                           std::to_string(spec.shape.size()));
  }
  for (const int64_t dim : spec.shape) {
    if (dim == 0 || dim < -1) {
      return InvalidArgument("expected dimensions >= 1, or -1 for any, for " + subject + ", got " +
                             std::to_string(dim));
    }
  }
  core.dims = Shape(spec.shape);
  core.is_optional = spec.optional;
  return core;
}

Result<std::vector<TensorSpec>> ToCoreSpecs(const std::vector<pytriton::TensorSpec>& specs,
                                            std::string_view where) {
  std::vector<TensorSpec> all;
  std::set<std::string_view> names;
  for (const pytriton::TensorSpec& spec : specs) {
    PT_ASSIGN_OR_RETURN(TensorSpec core, ToCoreSpec(spec, where));
    if (!names.insert(spec.name).second) {
      return InvalidArgument("expected different names, got two " + std::string(where) +
                             "s named " + Quoted(spec.name));
    }
    all.push_back(std::move(core));
  }
  return all;
}

}  // namespace

Result<ModelConfig> ToCoreConfig(const pytriton::ModelConfig& config) {
  PT_RETURN_IF_ERROR(CheckName(config.name));
  PT_RETURN_IF_ERROR(CheckNumbers(config));
  ModelConfig core;
  core.name = config.name;
  core.version = config.version;
  core.backend = "native";
  core.max_batch_size = config.max_batch_size;
  PT_ASSIGN_OR_RETURN(core.inputs, ToCoreSpecs(config.inputs, "input"));
  PT_ASSIGN_OR_RETURN(core.outputs, ToCoreSpecs(config.outputs, "output"));
  if (config.max_batch_size > 0 && config.dynamic_batching) {
    core.scheduler = SchedulerKind::kDynamic;
  }
  core.dynamic_batching.preferred_batch_sizes = config.preferred_batch_sizes;
  core.dynamic_batching.max_queue_delay_us = config.max_queue_delay_us;
  core.dynamic_batching.preserve_ordering = config.preserve_ordering;
  core.dynamic_batching.default_queue_policy.max_queue_size = config.max_queue_size;
  InstanceGroup group;
  group.name = config.name + "_0";
  group.count = config.instances;
  core.instance_groups.push_back(std::move(group));
  return core;
}

pytriton::Status ToPublicStatus(const Status& status) {
  if (status.ok()) return {};
  return {std::string(CodeName(status.code())), status.message()};
}

}  // namespace pt::server
