// Metrics of what model repositories do; none without a repository.
//
// Thread rule: before serving begins.
#pragma once

#include "api/prometheus.h"
#include "repo/repository.h"

namespace pt::server {

// Owner rule: the series borrow the repository.
void AddRepositoryMetrics(const repo::Repository& repository, api::Prometheus* prometheus);

}  // namespace pt::server
