// ConfigDocument: the complete configuration of one repository model (inference.ModelConfig), from
// a file or an override to what a Model is made of. A load goes through it in this order: Read,
// then Complete with what the backend adds, then Finish for each version.
//
// It reads files of the model's directory (the configuration, the names of version directories,
// labels); it never writes. Everything it reads comes from outside: sizes and depths are bounded.
//
// Thread rule: a value; belongs to its thread. Nothing here keeps state between calls.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "infer/model_config.h"

namespace inference {
class ModelConfig;  // NOLINT(bugprone-forward-declaration-namespace): the generated one
}

namespace pt::repo {

struct ConfigPlace {
  std::string model_dir;    // absolute
  std::string name;         // of the model: the directory's name
  bool is_mapped = false;   // the name is given to the model, whatever its configuration says
  std::string config_name;  // --model-config-name: configs/<config_name>.pbtxt comes first
  // The `config` parameter of a load, JSON: replaces the file completely.
  std::optional<std::string> override_json;
  bool auto_complete = true;  // false: inputs and outputs must be in the file
  std::vector<int> gpus;      // what this server can use; empty: none
};

struct VersionPolicy {
  enum class Kind { kLatest, kAll, kSpecific };
  Kind kind = Kind::kLatest;
  uint32_t latest = 1;            // kLatest
  std::vector<int64_t> specific;  // kSpecific; ascending, without duplicates

  // Which of `available` (ascending) are served, ascending.
  std::vector<int64_t> Select(const std::vector<int64_t>& available) const;
};

// The number of a version directory: `0|[1-9][0-9]*` within int64. Empty for all other names.
std::optional<int64_t> ParseVersionName(std::string_view name);

class ConfigDocument {
 public:
  // Finds the file, parses it, fills in name, backend and defaults, and checks what can be checked
  // before the backend had its say (spec/triton-core 1.2 - 1.5). Errors: the reason with the file,
  // the line where there is one and the mend; Internal for files that can't be read or parsed,
  // InvalidArgument for what they say.
  static Result<ConfigDocument> Read(ConfigPlace place);

  ~ConfigDocument();
  ConfigDocument(const ConfigDocument& other);
  ConfigDocument& operator=(const ConfigDocument& other);
  ConfigDocument(ConfigDocument&& other) noexcept;
  ConfigDocument& operator=(ConfigDocument&& other) noexcept;

  const std::string& name() const;
  const std::string& backend() const;     // "python"; empty only for ensembles
  const std::string& platform() const;    // often empty
  const std::string& model_file() const;  // default_model_filename
  std::map<std::string, std::string> parameters() const;
  VersionPolicy version_policy() const;
  // The file that was read; "the override" or "" (no file) otherwise. For messages and for
  // watchers.
  const std::string& source() const;

  // Triton's JSON form: snake_case, enums as words, 64-bit integers as numbers, defaults written.
  std::string ToJson() const;
  // The same as a backend is asked to complete it: instance groups are what they will be.
  std::string ToBackendJson() const;

  // Takes over what a backend may set: max_batch_size, input, output, dynamic_batching and
  // model_transaction_policy; other differences are dropped, as in Triton. Errors: InvalidArgument
  // for JSON that is no model configuration (unknown keys, wrong types), for values that fail the
  // checks; Internal for another scheduler than the file's.
  Status Complete(std::string_view backend_json);

  // Whether this server does what it asks for, as far as that is known before the backend had its
  // say: nothing is started for a model that it can't serve. Errors: Unsupported.
  Status CheckSupport() const;

  // The configuration of one version with everything checked, labels read, and document_proto and
  // document_json set. Errors: InvalidArgument for what is wrong in it, Unsupported for what this
  // server does not do, Internal for files that can't be read.
  Result<ModelConfig> Finish(int64_t version) const;

  // `running`, which Finish or this gave, with the instance groups and the version policy of this
  // document instead. REQUIRES: they differ in nothing else. Errors: Unsupported for groups of
  // other kinds than those that run; as for Finish.
  Result<ModelConfig> Regroup(const ModelConfig& running) const;

  // Nothing but instance_group and version_policy differs (or nothing at all): a loaded model can
  // be changed in place. Compare documents at the same stage (both as Read gave them).
  bool DiffersOnlyInInstances(const ConfigDocument& other) const;

 private:
  struct Impl;
  explicit ConfigDocument(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;  // never null, except when moved from
};

}  // namespace pt::repo
