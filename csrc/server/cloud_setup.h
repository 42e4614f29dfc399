// The settings of the ports of cloud providers, from options and from the variables that those
// providers set.
//
// Thread rule: reads the environment: while the server is made.
#pragma once

#include <cstdint>

#include "api/service.h"
#include "base/options.h"
#include "base/status.h"

namespace pt::server {

// allow-vertex-ai; when it is not given: whether AIP_MODE is PREDICTION.
bool IsVertexAi(const OptionValues& options);
// vertex-ai-port; when it is not given: AIP_HTTP_PORT, else 8080.
int64_t VertexAiPort(const OptionValues& options);
// Errors: InvalidArgument when Vertex AI is on and tells no routes.
Result<api::CloudOptions> ReadCloud(const OptionValues& options);

}  // namespace pt::server
