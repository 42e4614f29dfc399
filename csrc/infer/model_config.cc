#include "infer/model_config.h"

#include <algorithm>
#include <string_view>

namespace pt {
namespace {

int FindByName(const std::vector<TensorSpec>& specs, std::string_view name) {
  for (size_t i = 0; i < specs.size(); ++i) {
    if (specs[i].name == name) return static_cast<int>(i);
  }
  return -1;
}

}  // namespace

int ModelConfig::FindInput(std::string_view input) const { return FindByName(inputs, input); }

int ModelConfig::FindOutput(std::string_view output) const { return FindByName(outputs, output); }

int ModelConfig::instance_count() const {
  int count = 0;
  for (const InstanceGroup& group : instance_groups) {
    // A group on GPUs has its count on each of them.
    const int devices = std::max<int>(1, static_cast<int>(group.gpus.size()));
    count += std::max(1, group.count) * devices;
  }
  return std::max(1, count);
}

}  // namespace pt
