// What the server makes of the options of the response cache, and what it tells about the cache.
//
// Thread rule: pure functions. Owner rule: AddCacheMetrics's rows borrow the cache.
#pragma once

#include <cstdint>

#include "api/prometheus.h"
#include "base/options.h"
#include "base/status.h"
#include "schedule/response_cache.h"

namespace pt::server {

// The size that cache-config ("local,size=BYTES") or response-cache-byte-size asks for; 0: no
// cache. Errors: InvalidArgument in Triton's words (spec/triton-frontend 4.2).
Result<uint64_t> ReadCacheBytes(const OptionValues& options);

// The gauges nv_cache_*.
void AddCacheMetrics(const schedule::ResponseCache* cache, api::Prometheus* prometheus);

}  // namespace pt::server
