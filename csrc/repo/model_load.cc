#include "repo/model_load.h"

#include <algorithm>
#include <utility>

#include "infer/model_change.h"
#include "repo/layout.h"

namespace pt::repo {
namespace {

using Kind = LoadOutcome::Kind;

// How often a load starts anew because files changed under it.
constexpr int kCopyAttempts = 5;

LoadOutcome Ended(Kind kind, Status reason) {
  LoadOutcome outcome;
  outcome.kind = kind;
  outcome.reason = std::move(reason);
  return outcome;
}

// Messages name the repository's files, not the copies that were read.
Status WithRealPaths(const Status& status, const std::string& copy, const std::string& real) {
  if (status.ok() || copy.empty() || real.empty()) return status;
  std::string text = status.message();
  for (size_t at = 0; (at = text.find(copy, at)) != std::string::npos; at += real.size()) {
    text.replace(at, copy.size(), real);
  }
  return {status.code(), std::move(text)};
}

class ModelLoad {
 public:
  ModelLoad(const LoadTools& tools, const LoadSource& source, const ServedModel* before)
      : tools_(tools),
        source_(source),
        before_(before),
        name_(source.request.name),
        is_upload_(!source.request.files.empty()),
        content_key_(ContentKey(source.request)) {}

  LoadOutcome Run() {
    if (is_upload_ && before_ != nullptr && before_->content_key == content_key_) {
      return Ended(Kind::kUnchanged, {});
    }
    LoadOutcome outcome;
    for (int attempt = 0; attempt < kCopyAttempts; ++attempt) {
      outcome = TryOnce();
      outcome.fingerprint = look_.fingerprint;
      if (IsCancelled()) return Cancelled();
      // Whoever watches decides when it is still again; whoever was asked to load now tries on.
      if (outcome.kind != Kind::kChanged || source_.settled) return outcome;
    }
    return outcome;
  }

 private:
  // What becomes of a version that serves and stays.
  struct Change {
    int64_t version = 0;
    ModelHandle model;
    ModelConfig config;
  };

  LoadOutcome TryOnce() {
    const Status looked = Look();
    if (!looked.ok()) return Ended(Kind::kUnusable, looked);
    if (source_.settled && look_.fingerprint != *source_.settled) return Changed();
    if (IsUnchanged()) return Ended(Kind::kUnchanged, {});
    const Status prepared = Prepare();
    // What is half-written may be refused for reasons that are no longer true.
    if (!prepared.ok() && HasChanged()) return Changed();
    if (!prepared.ok()) {
      LoadOutcome outcome = Ended(Kind::kUnusable, prepared);
      outcome.lacks_version = lacks_version_;
      return outcome;
    }
    if (HasChanged()) return Changed();
    return LoadVersions();
  }

  bool IsCancelled() const { return source_.control->cancelled().has_value(); }
  LoadOutcome Cancelled() const {
    return Ended(Kind::kCancelled, source_.control->cancelled().value_or(Status()));
  }

  LoadOutcome Changed() const {
    return Ended(Kind::kChanged, Unavailable("files of model '" + name_ +
                                             "' changed while they were read, at " + dir_));
  }

  Status Look() {
    if (is_upload_) {
      if (!source_.request.config) {
        return InvalidArgument("Load parameter 'config' must be specified for model file override");
      }
      PT_ASSIGN_OR_RETURN(files_, tools_.area->Write(name_, source_.request.files));
      dir_ = files_->dir();
    } else {
      dir_ = source_.dir;
    }
    PT_ASSIGN_OR_RETURN(look_, LookAtTree(dir_, {}));
    return {};
  }

  bool IsUnchanged() const {
    return before_ != nullptr && before_->content_key == content_key_ &&
           before_->fingerprint == look_.fingerprint;
  }

  bool HasChanged() const {
    if (is_upload_) return false;
    const Result<TreeLook> now = LookAtTree(dir_, {});
    return !now.ok() || now->fingerprint != look_.fingerprint;
  }

  Result<ConfigDocument> ReadConfig(const std::string& dir) const {
    ConfigPlace place;
    place.model_dir = dir;
    place.name = name_;
    place.is_mapped = !source_.request.directory.empty();
    place.config_name = tools_.config_name;
    place.override_json = source_.request.config;
    place.auto_complete = tools_.auto_complete;
    place.gpus = tools_.gpus;
    return ConfigDocument::Read(std::move(place));
  }

  // Decides what is to be loaded and copies it.
  Status Prepare() {
    PT_ASSIGN_OR_RETURN(const ConfigDocument found, ReadConfig(dir_));
    PT_RETURN_IF_ERROR(CheckConfigStays(found));
    PT_RETURN_IF_ERROR(Select(found.version_policy()));
    config_json_ = found.ToJson();
    VersionsServed served;
    if (before_ != nullptr) served = {before_->versions, before_->fingerprint};
    found_ = std::make_shared<const ConfigDocument>(found);
    plan_ = PlanVersions(served, {selected_, look_.fingerprint, !IsLikeBefore()});
    if (!PlanChanges()) plan_ = PlanVersions(served, {selected_, look_.fingerprint, true});
    if (plan_.load.empty()) return {};
    if (!is_upload_) {
      PT_ASSIGN_OR_RETURN(files_, tools_.area->Copy(dir_, plan_.load, source_.control.get()));
    }
    // Again from the copy: from here on nothing depends on what happens to the repository.
    Result<ConfigDocument> document = ReadConfig(files_->dir());
    if (!document.ok()) return WithRealPaths(document.status(), files_->dir(), dir_);
    document_ = std::move(document).value();
    return {};
  }

  // Whoever only watches can't know that a model is meant to go on with what can be found out
  // about it: more likely its configuration is being replaced, or was deleted by mistake.
  Status CheckConfigStays(const ConfigDocument& found) const {
    const bool had_one = before_ != nullptr && before_->document && !before_->is_uploaded &&
                         !before_->document->source().empty();
    if (!source_.settled || !had_one || !found.source().empty()) return {};
    return InvalidArgument("configuration " + before_->document->source() + " of model '" + name_ +
                           "' is gone: put it back, or take the model's directory away and back "
                           "to serve it without one");
  }

  // Nothing but instance groups and the version policy differs from what serves.
  bool IsLikeBefore() const {
    return before_ != nullptr && !is_upload_ && !before_->is_uploaded && before_->document &&
           before_->directory == source_.request.directory &&
           found_->DiffersOnlyInInstances(*before_->document);
  }

  // What becomes of the versions that stay. False: they must be loaded anew instead.
  bool PlanChanges() {
    changes_.clear();
    for (const int64_t version : plan_.keep) {
      ModelHandle model = tools_.table->Acquire(source_.key, version);
      if (!model) return false;
      Result<ModelConfig> config = found_->Regroup(*model->current_config());
      const bool is_possible = config.ok() && ModelChange::IsPossible(*model, *config);
      if (!is_possible) changes_.clear();
      if (!is_possible) return false;
      changes_.push_back({version, std::move(model), std::move(config).value()});
    }
    return true;
  }

  Status Select(const VersionPolicy& policy) {
    PT_ASSIGN_OR_RETURN(const VersionListing listing, ListVersions(dir_));
    if (!has_warned_) {
      for (const std::string& warning : listing.warnings) {
        PT_LOG(tools_.logger, kWarning, warning + " in model '" + name_ + "'");
      }
    }
    has_warned_ = true;
    selected_ = policy.Select(listing.versions);
    for (const int64_t version : policy.specific) {
      if (std::binary_search(selected_.begin(), selected_.end(), version)) continue;
      PT_LOG(tools_.logger, kWarning,
             "version " + std::to_string(version) + " is specified for model '" + name_ +
                 "', but the version directory is not present");
    }
    lacks_version_ = selected_.empty();
    if (!lacks_version_) return {};
    return InvalidArgument(
        "at least one version must be available under the version policy of model '" + name_ + "'");
  }

  LoadOutcome LoadVersions() {
    std::vector<ReadyVersion> ready;
    LoadOutcome outcome;
    outcome.kind = Kind::kLoaded;
    for (const int64_t version : plan_.load) {
      const Result<uint64_t> generation = tools_.table->Begin(source_.key, version, Owner::kFiles);
      Status status = generation.status();
      if (generation.ok()) {
        begun_.push_back(*generation);
        FailWhenCancelled(*generation);
        PT_LOG(tools_.logger, kInfo, "loading: " + name_ + ":" + std::to_string(version));
        status = LoadVersion(version, *generation, &ready);
      }
      if (status.ok()) continue;
      if (generation.ok()) {
        begun_.pop_back();  // it keeps its reason in the index
        tools_.table->Fail(source_.key, *generation, status);
      }
      outcome = Ended(Kind::kFailed, status);
      outcome.failed_version = version;
      break;
    }
    std::vector<std::unique_ptr<ModelChange>> changes;
    if (outcome.kind == Kind::kLoaded) outcome = PrepareChanges(&changes);
    if (source_.settled && HasChanged()) outcome = Changed();
    // From here on nobody can give it up.
    if (outcome.kind == Kind::kLoaded && !source_.control->Finish()) outcome = Cancelled();
    if (outcome.kind != Kind::kLoaded) {
      ready.clear();
      // The others of this load were never there.
      for (const uint64_t generation : begun_) tools_.table->Drop(source_.key, generation);
      return outcome;
    }
    Retirement retire{source_.key, plan_.retire, Trace::kUnloaded};
    tools_.table->Publish(source_.key, std::move(ready), retire);
    for (const auto& change : changes) change->Commit();
    outcome.served = {look_.fingerprint,         content_key_, config_json_, selected_, is_upload_,
                      source_.request.directory, found_};
    return outcome;
  }

  // Starts what is missing of the versions that stay.
  LoadOutcome PrepareChanges(std::vector<std::unique_ptr<ModelChange>>* changes) {
    for (Change& change : changes_) {
      Result<std::unique_ptr<ModelChange>> prepared = PrepareChange(change);
      for (int retry = 0; retry < tools_.retry_count && !prepared.ok() && !IsCancelled(); ++retry) {
        prepared = PrepareChange(change);
      }
      if (!prepared.ok()) {
        LoadOutcome outcome = Ended(Kind::kFailed, prepared.status());
        outcome.failed_version = change.version;
        return outcome;
      }
      changes->push_back(std::move(prepared).value());
    }
    changes_.clear();
    return Ended(Kind::kLoaded, {});
  }

  Result<std::unique_ptr<ModelChange>> PrepareChange(const Change& change) const {
    const int before = change.model->current_config()->instance_count();
    const int after = change.config.instance_count();
    if (before != after) {
      PT_LOG(tools_.logger, kInfo,
             "instances of " + name_ + ":" + std::to_string(change.version) + ": " +
                 std::to_string(before) + " -> " + std::to_string(after));
    }
    return ModelChange::Prepare(change.model.Share(), change.config, source_.control);
  }

  // The index says so at once, whatever the load still waits for.
  void FailWhenCancelled(uint64_t generation) {
    source_.control->OnCancel([table = tools_.table, key = source_.key, generation](
                                  const Status& reason) { table->Fail(key, generation, reason); });
  }

  Status LoadVersion(int64_t version, uint64_t generation, std::vector<ReadyVersion>* ready) {
    Result<std::unique_ptr<Model>> model = CreateModel(version, generation);
    for (int retry = 0; retry < tools_.retry_count && !model.ok() && !IsCancelled(); ++retry) {
      model = CreateModel(version, generation);
    }
    if (!model.ok()) return WithRealPaths(model.status(), files_->dir(), dir_);
    ready->push_back({generation, std::move(model).value(), files_});
    return {};
  }

  Result<std::unique_ptr<Model>> CreateModel(int64_t version, uint64_t generation) {
    VersionSource source;
    source.name = name_;
    source.version = version;
    source.generation = generation;
    source.backend = document_->backend();
    source.model_dir = files_->dir();
    source.version_dir = files_->dir() + "/" + std::to_string(version);
    source.model_file = document_->model_file();
    source.parameters = document_->parameters();
    source.control = source_.control;
    PT_RETURN_IF_ERROR(document_->CheckSupport());
    PT_ASSIGN_OR_RETURN(const std::unique_ptr<BackendLoader> loader, tools_.opener(source));
    ConfigDocument document = *document_;
    if (tools_.auto_complete) {
      const std::string before = document.ToBackendJson();
      PT_ASSIGN_OR_RETURN(const std::string after, loader->CompleteConfig(before));
      if (after != before) PT_RETURN_IF_ERROR(document.Complete(after));
    }
    PT_ASSIGN_OR_RETURN(ModelConfig config, document.Finish(version));
    PT_ASSIGN_OR_RETURN(std::unique_ptr<Backend> backend, loader->Create(config));
    return StartModel(tools_.factory, std::move(config), generation, std::move(backend),
                      files_->dir());
  }

  const LoadTools& tools_;
  const LoadSource& source_;
  const ServedModel* const before_;
  const std::string& name_;
  const bool is_upload_;
  const std::string content_key_;
  std::string dir_;
  TreeLook look_;
  bool has_warned_ = false;
  bool lacks_version_ = false;
  std::string config_json_;
  std::vector<int64_t> selected_;
  VersionPlan plan_;
  std::shared_ptr<const ConfigDocument> found_;
  std::vector<Change> changes_;
  ModelFilesRef files_;
  std::optional<ConfigDocument> document_;
  std::vector<uint64_t> begun_;
};

}  // namespace

std::string ContentKey(const LoadRequest& request) {
  std::string key;
  if (request.config) key += "config" + std::to_string(request.config->size()) + *request.config;
  if (!request.directory.empty()) key += "directory" + request.directory + '\0';
  for (const auto& [path, bytes] : request.files) {
    key += path + '\0' + std::to_string(bytes.size()) + ':' +
           std::to_string(std::hash<std::string>()(bytes)) + '\0';
  }
  return key;
}

LoadOutcome LoadModel(const LoadTools& tools, const LoadSource& source, const ServedModel* before) {
  return ModelLoad(tools, source, before).Run();
}

LoadOutcome LoadModelOfProgram(const LoadTools& tools, const LoadSource& source) {
  const LoadRequest& request = source.request;
  if (request.config || !request.files.empty() || !request.directory.empty()) {
    return Ended(Kind::kUnusable, InvalidArgument("model '" + request.name +
                                                  "' is the program's: expected a load without "
                                                  "other configuration or files"));
  }
  const Status status = tools.program->Load(request.name, source.control.get());
  return Ended(status.ok() ? Kind::kUnchanged : Kind::kFailed, status);
}

}  // namespace pt::repo
