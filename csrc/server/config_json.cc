#include "server/config_json.h"

#include "repo/config_text.h"
#include "wire/proto/model_config.pb.h"
#include "wire/proto_json.h"

namespace pt::server {

Result<std::string> ConfigTextToJson(std::string_view text, const std::string& path) {
  inference::ModelConfig config;
  PT_RETURN_IF_ERROR(repo::ParseConfig(repo::ConfigFormat::kText, text, path, &config));
  return wire::ProtoJson(config);
}

}  // namespace pt::server
