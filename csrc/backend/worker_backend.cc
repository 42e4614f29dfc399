#include "backend/worker_backend.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "backend/worker_environment.h"
#include "backend/worker_instance.h"
#include "backend/worker_team.h"
#include "base/mutex.h"
#include "infer/instance_places.h"
#include "infer/scheduler.h"

namespace pt::backend {
namespace {

// What one load knows, for all of its instances.
struct WorkerModel {
  VersionSource source;
  std::string model_file;  // absolute
  bool is_backend_model = false;
  WorkerEnvironment environment;
  WorkerHub hub;
  WorkerBackendOptions options;
  std::shared_ptr<WorkerPace> pace;
};

std::string Setup(const WorkerModel& model, const std::string& instance, bool is_decoupled) {
  const std::string texts[] = {model.source.name,
                               std::to_string(model.source.version),
                               instance,
                               model.source.model_dir,
                               model.source.version_dir,
                               model.model_file,
                               model.is_backend_model ? "1" : "0",
                               is_decoupled ? "1" : "0"};
  MessageWriter out;
  out.Put(static_cast<uint32_t>(std::size(texts)));
  for (const std::string& text : texts) out.Text(text);
  return out.bytes();
}

void PutTexts(const std::vector<std::string>& texts, MessageWriter* out) {
  out->Put(static_cast<uint32_t>(texts.size()));
  for (const std::string& text : texts) out->Text(text);
}

std::vector<std::string> Names(const std::vector<TensorSpec>& specs) {
  std::vector<std::string> names;
  names.reserve(specs.size());
  for (const TensorSpec& spec : specs) names.push_back(spec.name);
  return names;
}

std::string_view KindName(InstanceKind kind) {
  switch (kind) {
    case InstanceKind::kGpu:
      return "GPU";
    case InstanceKind::kModel:
      return "MODEL";
    case InstanceKind::kAuto:
    case InstanceKind::kCpu:
      break;
  }
  return "CPU";
}

// The name of the first instance of a configuration that is not complete yet. Its JSON is written
// by us: a group begins with its name, and no text of it can look like the marker, because quotes
// inside texts are escaped.
std::string FirstInstanceName(std::string_view config_json, const std::string& model) {
  constexpr std::string_view kGroup = "\"instance_group\":[{\"name\":\"";
  const size_t at = config_json.find(kGroup);
  if (at == std::string_view::npos) return model + "_0";
  const std::string_view rest = config_json.substr(at + kGroup.size());
  const std::string name(rest.substr(0, rest.find('"')));
  return (name.empty() ? model + "_0" : name) + "_0";
}

std::string Arguments(const WorkerModel& model, const ModelConfig& config,
                      const InstancePlace& place) {
  MessageWriter out;
  PutTexts({"model_config", "model_instance_kind", "model_instance_name",
            "model_instance_device_id", "model_repository", "model_version", "model_name"},
           &out);
  // A bound model has no document: its worker knows the rest of its configuration by itself.
  const char* const bound =
      config.is_decoupled ? R"({"model_transaction_policy":{"decoupled":true}})" : "{}";
  const std::string document = config.document_json.empty() ? bound : config.document_json;
  PutTexts({document, std::string(KindName(place.kind)), place.name, std::to_string(place.device),
            model.source.model_dir, std::to_string(model.source.version), model.source.name},
           &out);
  PutTexts(Names(config.inputs), &out);
  PutTexts(Names(config.outputs), &out);
  return out.bytes();
}

// The settings of that backend, over those of all.
std::string SettingsOf(const WorkerBackendOptions& options, const std::string& backend) {
  std::map<std::string, std::string> settings;
  for (const std::string& name : {backend, std::string()}) {
    const auto at = options.settings.find(name);
    if (at != options.settings.end()) settings.insert(at->second.begin(), at->second.end());
  }
  std::string text = "PYTRITON_BACKEND_CONFIG=";
  for (const auto& [key, value] : settings) text.append(key).append("=").append(value).append("\n");
  return text;
}

std::shared_ptr<WorkerKeeper> MakeKeeper(const WorkerModel& model, const std::string& instance,
                                         const std::shared_ptr<LoadControl>& control) {
  WorkerSpec spec;
  spec.spawn.interpreter = model.environment.interpreter;
  spec.spawn.program = model.options.program;
  spec.spawn.environment = model.environment.variables;
  spec.instance_name = instance;
  spec.label = model.source.name + ":" + std::to_string(model.source.version) + ":" + instance;
  const WorkerLimits limits{model.options.load_limit, model.options.finalize_limit};
  auto keeper = std::make_shared<WorkerKeeper>(model.hub, std::move(spec), limits);
  if (control) {
    control->OnCancel([weak = std::weak_ptr<WorkerKeeper>(keeper)](const Status&) {
      if (const auto alive = weak.lock()) alive->Abort();
    });
  }
  return keeper;
}

WorkerPace::Key PaceKey(const VersionSource& source) { return {source.name, source.version}; }

std::string Beside(const std::string& program, const std::string& name) {
  return program.substr(0, program.rfind('/') + 1) + name;
}

class WorkerBackend final : public Backend {
 public:
  WorkerBackend(std::shared_ptr<const WorkerModel> model, ModelConfig config,
                const std::shared_ptr<WorkerKeeper>& first)
      : model_(std::move(model)),
        config_(std::move(config)),
        ticket_(model_->pace, PaceKey(model_->source)),
        roster_(config_) {
    MutexLock lock(&mu_);
    for (const auto& [ordinal, place] : roster_.places()) {
      team_->Join(ordinal, ordinal == 0 && first
                               ? first
                               : MakeKeeper(*model_, place.name, model_->source.control));
      arguments_[ordinal] = Arguments(*model_, config_, place);
    }
  }

  Result<std::unique_ptr<BackendInstance>> CreateInstance(int ordinal) override EXCLUDES(mu_) {
    WorkerInstance::Plan plan;
    {
      MutexLock lock(&mu_);
      const InstancePlace* place = roster_.Find(ordinal);
      if (place == nullptr) {
        return Internal("expected the number of an instance, got " + std::to_string(ordinal));
      }
      plan.name = place->name;
      plan.arguments = std::move(arguments_[ordinal]);
      arguments_.erase(ordinal);
    }
    plan.setup = Setup(*model_, plan.name, config_.is_decoupled);
    plan.has_other = [team = team_, ordinal] { return team->HasOther(ordinal); };
    if (config_.parameters.contains(kExclusiveGroupParameter)) {
      // Its turn ends with the batch that it waits for: nothing ahead.
    } else if (config_.scheduler == SchedulerKind::kDirect) {
      plan.ahead = model_->options.ahead;
    } else {
      plan.cheap_request = model_->options.cheap_request;
      plan.is_single = [team = team_] { return team->is_single(); };
    }
    return std::unique_ptr<BackendInstance>(
        std::make_unique<WorkerInstance>(team_->Find(ordinal), std::move(plan)));
  }

  bool RunsElsewhere() const override { return true; }
  Status Health() const override { return team_->Health(); }

  void Abandon() override {
    PT_LOG(model_->hub.logger, kWarning,
           "the workers of '" + model_->source.name + ":" + std::to_string(model_->source.version) +
               "' are ended with requests under way: it was unloaded, and they took too long");
    team_->Abort();
  }

  bool CanChange() const override { return true; }
  Result<InstanceChange> PlanChange(const ModelConfig& config,
                                    const std::shared_ptr<LoadControl>& control) override
      EXCLUDES(mu_) {
    InstanceChange change;
    {
      MutexLock lock(&mu_);
      change = roster_.Plan(config);
    }
    if (change.added.empty()) return change;
    // A client that changes counts in a loop costs what one costs that reloads.
    model_->pace->Await(PaceKey(model_->source));
    const WorkerPace::Ticket loaded_now(model_->pace, PaceKey(model_->source));
    MutexLock lock(&mu_);
    for (const int ordinal : change.added) {
      const InstancePlace& place = *roster_.Find(ordinal);
      team_->Join(ordinal, MakeKeeper(*model_, place.name, control));
      arguments_[ordinal] = Arguments(*model_, config, place);
    }
    return change;
  }
  void OnChanged(const ModelConfig& config) override EXCLUDES(mu_) {
    MutexLock lock(&mu_);
    for (const auto& [ordinal, place] : roster_.places()) {
      const auto keeper = team_->Find(ordinal);
      if (keeper) keeper->SetArguments(Arguments(*model_, config, place));
    }
  }
  void OnLeaving(int ordinal) override EXCLUDES(mu_) {
    {
      MutexLock lock(&mu_);
      roster_.Leave(ordinal);
    }
    team_->Leave(ordinal);
  }
  void Forget(int ordinal) override EXCLUDES(mu_) {
    {
      MutexLock lock(&mu_);
      roster_.Forget(ordinal);
      arguments_.erase(ordinal);
    }
    team_->Forget(ordinal);
  }

 private:
  const std::shared_ptr<const WorkerModel> model_;
  const ModelConfig config_;
  const WorkerPace::Ticket ticket_;
  const std::shared_ptr<WorkerTeam> team_ = std::make_shared<WorkerTeam>();
  Mutex mu_;
  InstanceRoster roster_ GUARDED_BY(mu_);
  std::map<int, std::string> arguments_ GUARDED_BY(mu_);  // of those that were not created yet
};

class WorkerLoader final : public BackendLoader {
 public:
  explicit WorkerLoader(std::shared_ptr<const WorkerModel> model) : model_(std::move(model)) {}
  ~WorkerLoader() override {
    if (first_) first_->Stop();  // completed, but not loaded
  }

  Result<std::string> CompleteConfig(const std::string& config_json) override {
    // The process becomes the first instance, so it is called like it.
    first_ = MakeKeeper(*model_, FirstInstanceName(config_json, model_->source.name),
                        model_->source.control);
    MessageWriter config;
    config.Text(config_json);
    return first_->Complete(Setup(*model_, "", false), config.bytes());
  }

  Result<std::unique_ptr<Backend>> Create(const ModelConfig& config) override {
    return std::unique_ptr<Backend>(
        std::make_unique<WorkerBackend>(model_, config, std::exchange(first_, nullptr)));
  }

 private:
  const std::shared_ptr<const WorkerModel> model_;
  std::shared_ptr<WorkerKeeper> first_;
};

}  // namespace

Result<std::unique_ptr<WorkerBackends>> WorkerBackends::Create(WorkerBackendOptions options,
                                                               BlockPool* pool, Logger* logger,
                                                               WorkerServices* services) {
  PT_ASSIGN_OR_RETURN(auto monitor, WorkerMonitor::Create());
  auto backends =
      std::unique_ptr<WorkerBackends>(new WorkerBackends(std::move(options), std::move(monitor)));
  backends->hub_ = {backends->monitor_.get(), pool, logger, services, &backends->templates_,
                    &backends->orphans_};
  return backends;
}

WorkerBackends::WorkerBackends(WorkerBackendOptions options, std::unique_ptr<WorkerMonitor> monitor)
    : options_(std::move(options)),
      environments_(options_.interpreter, Beside(options_.program, "_unpack.py"),
                    options_.load_limit),
      orphans_(monitor.get()),
      monitor_(std::move(monitor)),
      templates_(monitor_.get(), Beside(options_.program, "_template.py"), options_.templates),
      pace_(std::make_shared<WorkerPace>(options_.pause)) {}

WorkerBackends::~WorkerBackends() = default;

Result<std::unique_ptr<BackendLoader>> WorkerBackends::Open(const VersionSource& source) {
  pace_->Await(PaceKey(source));
  auto model = std::make_shared<WorkerModel>();
  model->source = source;
  model->pace = pace_;
  model->hub = hub_;
  model->options = options_;
  const std::string file = source.model_file.empty() ? "model.py" : source.model_file;
  model->model_file = source.version_dir + "/" + file;
  if (source.backend != "python") {
    model->is_backend_model = true;
    model->model_file.clear();
    if (source.backend.find('/') != std::string::npos) {
      return InvalidArgument("backend name '" + source.backend +
                             "' escapes the directory of backends, for model '" + source.name +
                             "', check model config backend field");
    }
    for (const std::string& root : options_.roots) {
      const std::string candidate = root + "/" + source.backend + "/model.py";
      if (!model->model_file.empty() || access(candidate.c_str(), R_OK) != 0) continue;
      model->model_file = candidate;
    }
    if (model->model_file.empty()) {
      return InvalidArgument("unable to find backend library for backend '" + source.backend +
                             "', try specifying runtime on the model configuration.");
    }
  }
  PT_ASSIGN_OR_RETURN(model->environment,
                      environments_.Resolve(source.parameters, source.model_dir));
  model->environment.variables.push_back(SettingsOf(options_, source.backend));
  return std::unique_ptr<BackendLoader>(std::make_unique<WorkerLoader>(std::move(model)));
}

}  // namespace pt::backend
