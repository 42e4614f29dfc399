// Any bytes as a configuration, in each format (the first byte chooses): it is refused, or it can
// be shown and read again.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "repo/config_check.h"
#include "repo/config_text.h"
#include "wire/proto/model_config.pb.h"
#include "wire/proto_json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const auto format = static_cast<pt::repo::ConfigFormat>(data[0] % 3);
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  inference::ModelConfig config;
  if (!pt::repo::ParseConfig(format, text, "config", &config).ok()) return 0;
  const std::string json = pt::wire::ProtoJson(config);
  inference::ModelConfig again;
  if (!pt::repo::ParseConfigJson(json, "again", &again).ok()) std::abort();
  if (pt::repo::CheckEarly(config).ok()) (void)pt::repo::CheckTensors(config);
  return 0;
}
