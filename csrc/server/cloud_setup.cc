#include "server/cloud_setup.h"

#include <charconv>
#include <cstdlib>
#include <string>
#include <string_view>

namespace pt::server {
namespace {

std::string_view Variable(const char* name) {
  const char* const value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): at start
  return value == nullptr ? std::string_view() : value;
}

}  // namespace

bool IsVertexAi(const OptionValues& options) {
  if (options.IsSet("allow-vertex-ai")) return options.GetBool("allow-vertex-ai");
  return Variable("AIP_MODE") == "PREDICTION";
}

int64_t VertexAiPort(const OptionValues& options) {
  constexpr int64_t kMaxPort = 65535;
  if (!options.IsSet("vertex-ai-port")) {
    const std::string_view text = Variable("AIP_HTTP_PORT");
    int64_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    const bool is_whole = error == std::errc() && end == text.data() + text.size();
    if (is_whole && port > 0 && port <= kMaxPort) return port;
  }
  return options.GetInt("vertex-ai-port");
}

Result<api::CloudOptions> ReadCloud(const OptionValues& options) {
  api::CloudOptions cloud;
  cloud.sagemaker_model = Variable("SAGEMAKER_TRITON_DEFAULT_MODEL_NAME");
  if (cloud.sagemaker_model.empty()) {
    cloud.sagemaker_model = "unspecified_SAGEMAKER_TRITON_DEFAULT_MODEL_NAME";
  }
  cloud.sagemaker_root = Variable("PYTRITON_SAGEMAKER_MODELS");
  if (cloud.sagemaker_root.empty()) cloud.sagemaker_root = "/opt/ml/models";
  if (!IsVertexAi(options)) return cloud;
  cloud.vertex_health_route = Variable("AIP_HEALTH_ROUTE");
  cloud.vertex_predict_route = Variable("AIP_PREDICT_ROUTE");
  cloud.vertex_model = options.GetString("vertex-ai-default-model");
  if (cloud.vertex_health_route.empty() || cloud.vertex_predict_route.empty()) {
    return InvalidArgument(
        "expected the variables AIP_HEALTH_ROUTE and AIP_PREDICT_ROUTE for the Vertex AI "
        "endpoint, got none");
  }
  return cloud;
}

}  // namespace pt::server
