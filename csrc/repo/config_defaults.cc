#include "repo/config_defaults.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>

#include "repo/config_check.h"
#include "repo/config_files.h"
#include "wire/proto/model_config.pb.h"

namespace pt::repo {
namespace {

constexpr uint64_t kDefaultSequenceIdleUs = 1'000'000;

constexpr std::string_view kLibtorch = "pytorch_libtorch";
constexpr std::string_view kLibtorchAlias = "libtorch";

// A file that tells the backend. In the order in which they are looked for.
struct ModelFile {
  std::string_view file;
  std::string_view backend;
  std::string_view platform;  // Triton's name for it; "" where there is none
};
constexpr std::array<ModelFile, 8> kModelFiles = {{
    {"model.savedmodel", "tensorflow", "tensorflow_savedmodel"},
    {"model.graphdef", "tensorflow", "tensorflow_graphdef"},
    {"model.plan", "tensorrt", "tensorrt_plan"},
    {"model.onnx", "onnxruntime", "onnxruntime_onnx"},
    {"model.xml", "openvino", ""},
    {"model.pt", "pytorch", kLibtorch},
    {"model.pt2", "pytorch", "torch_aoti"},
    {"model.py", "python", ""},
}};

bool Exists(const std::string& path) {
  struct stat info{};
  return stat(path.c_str(), &info) == 0;
}

// The row that the configuration names, by platform or else by backend; null when it names none of
// them. A platform says nothing about the files of another backend: python takes any.
const ModelFile* NamedRow(const inference::ModelConfig& config) {
  const std::string_view platform =
      config.platform() == kLibtorchAlias ? kLibtorch : std::string_view(config.platform());
  const ModelFile* by_backend = nullptr;
  for (const ModelFile& row : kModelFiles) {
    const bool may_be = config.backend().empty() || config.backend() == row.backend;
    if (!platform.empty() && platform == row.platform && may_be) return &row;
    if (by_backend == nullptr && config.backend() == row.backend) by_backend = &row;
  }
  return by_backend;
}

// The row whose file lies in a version directory, the lowest version first. `backend` restricts it,
// unless empty.
Result<const ModelFile*> FoundRow(const ConfigPlace& place, std::string_view backend) {
  PT_ASSIGN_OR_RETURN(const auto versions, VersionDirectories(place.model_dir));
  for (const auto& [version, path] : versions) {
    for (const ModelFile& row : kModelFiles) {
      if (!backend.empty() && backend != row.backend) continue;
      if (Exists(path + "/" + std::string(row.file))) return &row;
    }
  }
  return nullptr;
}

void Fill(const ModelFile& row, inference::ModelConfig* config) {
  if (config->backend().empty()) config->set_backend(std::string(row.backend));
  if (config->platform().empty()) config->set_platform(std::string(row.platform));
  if (config->default_model_filename().empty())
    config->set_default_model_filename(std::string(row.file));
}

// "name.backend" is a model's last way to say what serves it.
Status FillFromName(const ConfigPlace& place, inference::ModelConfig* config) {
  const size_t dot = place.name.find('.');
  if (dot == std::string::npos || dot + 1 == place.name.size()) {
    return InvalidArgument("Invalid model name: Could not determine backend for model '" +
                           place.name +
                           "' with no backend in model configuration. Expected model name of the "
                           "form 'model.<backend_name>'.");
  }
  const std::string backend = place.name.substr(dot + 1);
  config->set_backend(backend);
  if (config->default_model_filename().empty()) {
    config->set_default_model_filename("model." + backend);
  }
  return {};
}

void FillPreferredSizes(inference::ModelConfig* config) {
  const int32_t most = config->max_batch_size();
  if (most <= 0) return;
  if (config->has_dynamic_batching()) {
    auto* batching = config->mutable_dynamic_batching();
    if (batching->preferred_batch_size().empty()) batching->add_preferred_batch_size(most);
  }
  if (config->has_sequence_batching() && config->sequence_batching().has_oldest()) {
    auto* oldest = config->mutable_sequence_batching()->mutable_oldest();
    if (oldest->preferred_batch_size().empty()) oldest->add_preferred_batch_size(most);
  }
}

}  // namespace

Status FillBackend(const ConfigPlace& place, inference::ModelConfig* config) {
  if (config->platform() == "ensemble" || config->has_ensemble_scheduling()) return {};
  // A platform that is known only to a backend of that name is its own affair.
  if (config->backend().empty() && config->platform().empty()) {
    PT_ASSIGN_OR_RETURN(const ModelFile* found, FoundRow(place, ""));
    if (found == nullptr) return FillFromName(place, config);
    Fill(*found, config);
    return {};
  }
  const ModelFile* row = NamedRow(*config);
  if (row == nullptr) return {};
  if (config->platform().empty()) {
    // A backend with two kinds of files: the one that is there counts.
    PT_ASSIGN_OR_RETURN(const ModelFile* found, FoundRow(place, config->backend()));
    if (found != nullptr) row = found;
  }
  Fill(*row, config);
  return {};
}

void FillDefaults(inference::ModelConfig* config) {
  if (config->version_policy().policy_choice_case() ==
      inference::ModelVersionPolicy::POLICY_CHOICE_NOT_SET) {
    config->mutable_version_policy()->mutable_latest()->set_num_versions(1);
  }
  FillPreferredSizes(config);
  if (config->has_sequence_batching()) {
    auto* sequence = config->mutable_sequence_batching();
    if (sequence->max_sequence_idle_microseconds() == 0) {
      sequence->set_max_sequence_idle_microseconds(kDefaultSequenceIdleUs);
    }
  }
  if (config->has_ensemble_scheduling()) {
    if (config->platform().empty() && config->backend().empty()) config->set_platform("ensemble");
    return;
  }
  auto* optimization = config->mutable_optimization();
  if (!optimization->has_input_pinned_memory()) {
    optimization->mutable_input_pinned_memory()->set_enable(true);
  }
  if (!optimization->has_output_pinned_memory()) {
    optimization->mutable_output_pinned_memory()->set_enable(true);
  }
}

void FillInstanceGroups(const ConfigPlace& place, inference::ModelConfig* config) {
  using Group = inference::ModelInstanceGroup;
  if (config->has_ensemble_scheduling()) return;
  const auto has_gpu = [&place](int id) {
    return std::find(place.gpus.begin(), place.gpus.end(), id) != place.gpus.end();
  };
  const bool is_implicit = config->instance_group().empty();
  if (is_implicit) config->add_instance_group()->set_name(config->name());
  for (int i = 0; i < config->instance_group_size(); ++i) {
    Group* group = config->mutable_instance_group(i);
    if (group->name().empty()) group->set_name(config->name() + "_" + std::to_string(i));
    if (group->kind() == Group::KIND_AUTO) {
      // What people install as onnxruntime runs on CPUs: there a GPU must be asked for.
      const bool on_gpu = config->backend() != "onnxruntime" && !place.gpus.empty() &&
                          std::all_of(group->gpus().begin(), group->gpus().end(), has_gpu);
      group->set_kind(on_gpu ? Group::KIND_GPU : Group::KIND_CPU);
    }
    if (group->count() < 1) {
      // Two sessions of this runtime overlap well; that is what its users know.
      const bool is_twice = group->kind() == Group::KIND_CPU && config->backend() == "onnxruntime";
      group->set_count(is_twice ? 2 : 1);
    }
    if (group->kind() == Group::KIND_GPU && group->gpus().empty()) {
      for (const int id : place.gpus) group->add_gpus(id);
    }
  }
}

}  // namespace pt::repo
