// Settings: what the composition root makes of the option values, checked together.
//
// Thread rule: a value.
#pragma once

#include <cstdint>
#include <vector>

#include "api/prometheus.h"
#include "api/service.h"
#include "api/trace_settings.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/options.h"
#include "base/status.h"
#include "server/front.h"
#include "server/limits.h"
#include "server/repository_settings.h"
#include "server/worker_settings.h"
#include "tensor/cuda_devices.h"

namespace pt::server {

struct Settings {
  std::vector<Endpoint> endpoints;  // in the order they are opened: gRPC, HTTP, metrics
  int loop_count = 1;
  Duration exit_timeout = std::chrono::seconds(30);
  uint64_t max_inflight_bytes = 0;
  uint64_t cache_bytes = 0;  // of the response cache; 0: none
  ConnectionLimits limits;
  api::ServiceOptions service;
  api::HostMetrics host_metrics = api::HostMetrics::kOn;
  bool allows_client_memory = false;
  CudaOptions cuda;  // without a logger
  LogOptions log;
  api::TraceOptions trace;
  repo::RepositoryOptions repositories;
  backend::WorkerBackendOptions workers;
  bool exit_on_error = true;
};

// Errors: InvalidArgument when two endpoints would share an address and port, or an option has no
// meaning.
Result<Settings> ReadSettings(const OptionValues& options);

}  // namespace pt::server
