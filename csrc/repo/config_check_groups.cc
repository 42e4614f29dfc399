#include <algorithm>
#include <string>

#include "repo/config_check.h"
#include "wire/proto/model_config.pb.h"

namespace pt::repo {
namespace {

using Group = inference::ModelInstanceGroup;

// Threads and processes are made for each: more is a typing error, or an attack.
constexpr int64_t kMaxInstances = 1024;

std::string Describe(const inference::ModelConfig& config, const Group& group) {
  return "instance group " + group.name() + " of model " + config.name();
}

Status CheckGpus(const ConfigPlace& place, const inference::ModelConfig& config,
                 const Group& group) {
  const std::string kind = " has kind " + Group::Kind_Name(group.kind());
  if (group.kind() != Group::KIND_GPU) {
    if (group.gpus().empty()) return {};
    return InvalidArgument(Describe(config, group) + kind +
                           " but specifies one or more GPUs: remove 'gpus'");
  }
  if (group.gpus().empty()) {
    return InvalidArgument(Describe(config, group) + kind +
                           " but no GPUs are available: use KIND_CPU or KIND_AUTO");
  }
  for (const int32_t id : group.gpus()) {
    if (std::find(place.gpus.begin(), place.gpus.end(), id) != place.gpus.end()) continue;
    std::string known;
    for (const int gpu : place.gpus) known += (known.empty() ? "" : ", ") + std::to_string(gpu);
    return InvalidArgument(Describe(config, group) + " specifies invalid or unsupported gpu id " +
                           std::to_string(id) +
                           ". GPUs with at least the minimum required CUDA compute compatibility "
                           "of 6.000000 are: " +
                           (known.empty() ? "none, no GPUs are available" : known));
  }
  return {};
}

}  // namespace

Status CheckInstanceGroups(const ConfigPlace& place, const inference::ModelConfig& config) {
  int64_t active = 0;
  for (const Group& group : config.instance_group()) {
    PT_RETURN_IF_ERROR(CheckGpus(place, config, group));
    if (!group.profile().empty() && config.platform() != "tensorrt_plan") {
      return InvalidArgument(Describe(config, group) + " and platform " + config.platform() +
                             (config.platform().empty() ? "" : " ") +
                             "specifies profile field which is only supported for TensorRT models");
    }
    if (!group.passive()) {
      active += int64_t{group.count()} * std::max<int64_t>(1, group.gpus_size());
    }
    if (active > kMaxInstances) {
      return InvalidArgument(Describe(config, group) + " makes more than " +
                             std::to_string(kMaxInstances) + " instances: lower 'count'");
    }
  }
  if (active > 0 || config.has_ensemble_scheduling()) return {};
  // Triton calls such a model ready and ends with its first request.
  return RefuseConfig(config, "at least one instance group must not be passive",
                      "nothing could run a request");
}

}  // namespace pt::repo
