// Text -> inference.ModelConfig: config.pbtxt (protobuf text format), config.json and overrides
// (protobuf's JSON form), config.yaml (the same fields). Every error names the source, the place in
// it where there is one, what is wrong and, where that can be told, the mend.
//
// Thread rule: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace inference {
class ModelConfig;
}

namespace pt::repo {

enum class ConfigFormat { kText, kJson, kYaml };

// Longest text that is read: far above any real configuration, and no risk for memory.
inline constexpr size_t kMaxConfigBytes = 16u << 20;

// Parses the file's `text` into *config; `path` is for messages. Errors: Internal "failed to read
// text proto from PATH: line L, column C: ...".
Status ParseConfig(ConfigFormat format, std::string_view text, const std::string& path,
                   inference::ModelConfig* config);

// Parses JSON that came over the network or from a backend. Errors: InvalidArgument, `what` (such
// as "Invalid config override") before the reason.
Status ParseConfigJson(std::string_view json, std::string_view what,
                       inference::ModelConfig* config);

}  // namespace pt::repo
