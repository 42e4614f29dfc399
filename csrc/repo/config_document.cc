#include "repo/config_document.h"

#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

#include "repo/config_check.h"
#include "repo/config_convert.h"
#include "repo/config_defaults.h"
#include "repo/config_files.h"
#include "repo/config_text.h"
#include "wire/proto/model_config.pb.h"
#include "wire/proto_json.h"

namespace pt::repo {
namespace {

// What the instance groups are like, whatever they are called and however many they make.
std::set<std::string> KindsOf(const inference::ModelConfig& config) {
  std::set<std::string> kinds;
  for (inference::ModelInstanceGroup group : config.instance_group()) {
    group.clear_name();
    group.clear_count();
    kinds.insert(group.SerializeAsString());
  }
  return kinds;
}

}  // namespace

struct ConfigDocument::Impl {
  ConfigPlace place;
  std::string source;
  inference::ModelConfig config;

  // What is found wrong in the configuration says where it was read.
  Status Placed(Status status) const {
    if (status.ok() || source.empty() || status.message().find(source) != std::string::npos) {
      return status;
    }
    return {status.code(), status.message() + " (in " + source + ")"};
  }
  Status ReadSource();
  Status Settle();
  Status MergeFrom(const inference::ModelConfig& backend);
};

namespace {

constexpr std::string_view kOverride = "the override";

Status CheckName(const ConfigPlace& place, inference::ModelConfig* config) {
  if (config->name().empty() || place.is_mapped) config->set_name(place.name);
  if (config->name() == place.name) return {};
  return InvalidArgument("unexpected directory name '" + place.name + "' for model '" +
                         config->name() + "', directory name must equal model name");
}

Status ReadLabelsOf(const ConfigPlace& place, const inference::ModelConfig& proto,
                    ModelConfig* config) {
  for (int i = 0; i < proto.output_size(); ++i) {
    const auto& output = proto.output(i);
    if (output.label_filename().empty()) continue;
    const std::string outside = "label file path '" + output.label_filename() + "' for output '" +
                                output.name() + "' in model '" + proto.name() +
                                "' is outside model directory";
    PT_ASSIGN_OR_RETURN(const std::string path,
                        PathInModel(place.model_dir, output.label_filename(), outside));
    PT_ASSIGN_OR_RETURN(config->outputs[static_cast<size_t>(i)].labels, ReadLabels(path));
  }
  return {};
}

}  // namespace

Status ConfigDocument::Impl::ReadSource() {
  if (place.override_json) {
    source = kOverride;
    return ParseConfigJson(*place.override_json, "Invalid config override", &config);
  }
  PT_ASSIGN_OR_RETURN(const ConfigFile file, FindConfigFile(place));
  if (file.path.empty() && place.auto_complete) return {};
  source = file.path.empty() ? place.model_dir + "/config.pbtxt" : file.path;
  PT_ASSIGN_OR_RETURN(const std::string text, ReadWholeFile(source, kMaxConfigBytes));
  return ParseConfig(file.format, text, source, &config);
}

// The defaults, and what can be checked before the backend had its say.
Status ConfigDocument::Impl::Settle() {
  PT_RETURN_IF_ERROR(CheckName(place, &config));
  PT_RETURN_IF_ERROR(FillBackend(place, &config));
  FillDefaults(&config);
  PT_RETURN_IF_ERROR(CheckEarly(config));
  return place.auto_complete ? Status() : CheckTensors(config);
}

Status ConfigDocument::Impl::MergeFrom(const inference::ModelConfig& backend) {
  if (backend.scheduling_choice_case() != inference::ModelConfig::SCHEDULING_CHOICE_NOT_SET) {
    const bool is_open =
        config.scheduling_choice_case() == inference::ModelConfig::SCHEDULING_CHOICE_NOT_SET;
    if (is_open && backend.has_dynamic_batching()) {
      *config.mutable_dynamic_batching() = backend.dynamic_batching();
    } else if (is_open && backend.has_sequence_batching()) {
      *config.mutable_sequence_batching() = backend.sequence_batching();
    } else if (config.scheduling_choice_case() != backend.scheduling_choice_case()) {
      const auto name = [](const inference::ModelConfig& c) {
        return c.has_dynamic_batching()      ? "dynamic_batching"
               : c.has_sequence_batching()   ? "sequence_batching"
               : c.has_ensemble_scheduling() ? "ensemble_scheduling"
                                             : "the default";
      };
      return Internal(std::string("Cannot update scheduling choice from ") + name(config) + " to " +
                      name(backend) + " when auto-completing.");
    }
  }
  config.set_max_batch_size(backend.max_batch_size());
  *config.mutable_input() = backend.input();
  *config.mutable_output() = backend.output();
  if (backend.has_model_transaction_policy()) {
    *config.mutable_model_transaction_policy() = backend.model_transaction_policy();
  }
  return {};
}

std::vector<int64_t> VersionPolicy::Select(const std::vector<int64_t>& available) const {
  std::vector<int64_t> chosen;
  switch (kind) {
    case Kind::kAll:
      return available;
    case Kind::kLatest:
      chosen.assign(available.end() - static_cast<long>(std::min<size_t>(latest, available.size())),
                    available.end());
      return chosen;
    case Kind::kSpecific:
      break;
  }
  std::set_intersection(available.begin(), available.end(), specific.begin(), specific.end(),
                        std::back_inserter(chosen));
  return chosen;
}

std::optional<int64_t> ParseVersionName(std::string_view name) {
  const bool is_plain = !name.empty() && name[0] >= '0' && name[0] <= '9';
  if (!is_plain || (name[0] == '0' && name.size() > 1)) return std::nullopt;
  int64_t version = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), version);
  if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return version;
}

ConfigDocument::ConfigDocument(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ConfigDocument::~ConfigDocument() = default;
ConfigDocument::ConfigDocument(ConfigDocument&& other) noexcept = default;
ConfigDocument& ConfigDocument::operator=(ConfigDocument&& other) noexcept = default;
ConfigDocument::ConfigDocument(const ConfigDocument& other)
    : impl_(std::make_unique<Impl>(*other.impl_)) {}
ConfigDocument& ConfigDocument::operator=(const ConfigDocument& other) {
  if (this != &other) impl_ = std::make_unique<Impl>(*other.impl_);
  return *this;
}

Result<ConfigDocument> ConfigDocument::Read(ConfigPlace place) {
  auto impl = std::make_unique<Impl>();
  impl->place = std::move(place);
  PT_RETURN_IF_ERROR(impl->Placed(impl->ReadSource()));
  PT_RETURN_IF_ERROR(impl->Placed(impl->Settle()));
  return ConfigDocument(std::move(impl));
}

const std::string& ConfigDocument::name() const { return impl_->config.name(); }
const std::string& ConfigDocument::backend() const { return impl_->config.backend(); }
const std::string& ConfigDocument::platform() const { return impl_->config.platform(); }
const std::string& ConfigDocument::model_file() const {
  return impl_->config.default_model_filename();
}

std::map<std::string, std::string> ConfigDocument::parameters() const {
  std::map<std::string, std::string> parameters;
  for (const auto& [key, value] : impl_->config.parameters()) {
    parameters.emplace(key, value.string_value());
  }
  return parameters;
}

const std::string& ConfigDocument::source() const { return impl_->source; }

VersionPolicy ConfigDocument::version_policy() const {
  VersionPolicy policy;
  const auto& proto = impl_->config.version_policy();
  if (proto.has_all()) {
    policy.kind = VersionPolicy::Kind::kAll;
  } else if (proto.has_specific()) {
    policy.kind = VersionPolicy::Kind::kSpecific;
    policy.specific.assign(proto.specific().versions().begin(), proto.specific().versions().end());
    std::sort(policy.specific.begin(), policy.specific.end());
    policy.specific.erase(std::unique(policy.specific.begin(), policy.specific.end()),
                          policy.specific.end());
  } else {
    policy.latest = proto.latest().num_versions();
  }
  return policy;
}

std::string ConfigDocument::ToJson() const { return wire::ProtoJson(impl_->config); }

std::string ConfigDocument::ToBackendJson() const {
  inference::ModelConfig proto = impl_->config;
  FillInstanceGroups(impl_->place, &proto);
  return wire::ProtoJson(proto);
}

Status ConfigDocument::Complete(std::string_view backend_json) {
  inference::ModelConfig backend;
  PT_RETURN_IF_ERROR(ParseConfigJson(
      backend_json, "invalid configuration from the backend of model '" + name() + "'", &backend));
  Impl completed = *impl_;
  PT_RETURN_IF_ERROR(completed.MergeFrom(backend));
  FillDefaults(&completed.config);
  PT_RETURN_IF_ERROR(completed.Placed(CheckEarly(completed.config)));
  *impl_ = std::move(completed);
  return {};
}

Status ConfigDocument::CheckSupport() const { return impl_->Placed(CheckSupported(impl_->config)); }

Result<ModelConfig> ConfigDocument::Finish(int64_t version) const {
  inference::ModelConfig proto = impl_->config;
  FillInstanceGroups(impl_->place, &proto);
  PT_RETURN_IF_ERROR(impl_->Placed(CheckTensors(proto)));
  PT_RETURN_IF_ERROR(impl_->Placed(CheckInstanceGroups(impl_->place, proto)));
  PT_RETURN_IF_ERROR(impl_->Placed(CheckSupported(proto)));
  ModelConfig config = ToModelConfig(proto, version);
  PT_RETURN_IF_ERROR(ReadLabelsOf(impl_->place, proto, &config));
  config.document_proto = proto.SerializeAsString();
  config.document_json = wire::ProtoJson(proto);
  return config;
}

Result<ModelConfig> ConfigDocument::Regroup(const ModelConfig& running) const {
  inference::ModelConfig proto;
  if (!proto.ParseFromString(running.document_proto)) {
    return Internal("unreadable configuration of model '" + name() + "'");
  }
  const std::set<std::string> kinds = KindsOf(proto);
  *proto.mutable_instance_group() = impl_->config.instance_group();
  *proto.mutable_version_policy() = impl_->config.version_policy();
  FillInstanceGroups(impl_->place, &proto);
  PT_RETURN_IF_ERROR(impl_->Placed(CheckInstanceGroups(impl_->place, proto)));
  if (KindsOf(proto) != kinds) {
    return Unsupported("model '" + name() +
                       "' asks for instance groups of other kinds than before");
  }
  ModelConfig config = running;
  config.instance_groups = ToModelConfig(proto, running.version).instance_groups;
  config.document_proto = proto.SerializeAsString();
  config.document_json = wire::ProtoJson(proto);
  return config;
}

bool ConfigDocument::DiffersOnlyInInstances(const ConfigDocument& other) const {
  inference::ModelConfig ours = impl_->config;
  inference::ModelConfig theirs = other.impl_->config;
  for (inference::ModelConfig* config : {&ours, &theirs}) {
    config->clear_instance_group();
    config->clear_version_policy();
  }
  return google::protobuf::util::MessageDifferencer::Equals(ours, theirs);
}

}  // namespace pt::repo
