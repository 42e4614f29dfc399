// AddCudaMetrics: families that tell how device and page-locked memory is used.
//
// Thread rule: before serving begins; the families are read from any loop.
// Owner rule: the families borrow the devices.
#pragma once

#include "api/prometheus.h"
#include "tensor/cuda_on_demand.h"

namespace pt::server {

void AddCudaMetrics(CudaOnDemand* cuda, api::Prometheus* prometheus);

}  // namespace pt::server
