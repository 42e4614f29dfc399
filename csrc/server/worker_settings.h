// Options of backends that run models in worker processes, checked together.
//
// Thread rule: a value.
#pragma once

#include "backend/worker_backend.h"
#include "base/options.h"
#include "base/status.h"

namespace pt::server {

// Errors: InvalidArgument, in Triton's words, for a --backend-config that has no meaning.
Result<backend::WorkerBackendOptions> ReadWorkers(const OptionValues& options);

}  // namespace pt::server
