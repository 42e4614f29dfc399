#include "server/cuda_metrics.h"

#include <memory>
#include <string>
#include <string_view>

namespace pt::server {
namespace {

using api::MetricType;

struct DeviceMetric {
  std::string_view name;
  std::string_view help;
  MetricType type;
  uint64_t (*value)(const CudaDevices& devices);
};

// The first two are Triton's.
constexpr DeviceMetric kDeviceMetrics[] = {
    {"nv_pinned_memory_pool_total_bytes", "Pinned memory pool total memory size, in bytes",
     MetricType::kGauge,
     [](const CudaDevices& devices) { return devices.pinned_counters().total_bytes; }},
    {"nv_pinned_memory_pool_used_bytes", "Pinned memory pool used memory size, in bytes",
     MetricType::kGauge,
     [](const CudaDevices& devices) { return devices.pinned_counters().used_bytes; }},
    {"pytriton_cuda_memory_pool_total_bytes", "Size of all GPUs' memory pools", MetricType::kGauge,
     [](const CudaDevices& devices) { return devices.pool_counters().total_bytes; }},
    {"pytriton_cuda_memory_pool_used_bytes", "Bytes of GPUs' memory pools in use",
     MetricType::kGauge,
     [](const CudaDevices& devices) { return devices.pool_counters().used_bytes; }},
    {"pytriton_cuda_memory_pool_taken", "Blocks that came from a GPU's memory pool",
     MetricType::kCounter,
     [](const CudaDevices& devices) { return devices.pool_counters().taken; }},
    {"pytriton_cuda_memory_pool_refused",
     "Blocks that came from the driver, because a GPU's memory pool had no room",
     MetricType::kCounter,
     [](const CudaDevices& devices) { return devices.pool_counters().refused; }},
    {"pytriton_cuda_memory_pool_waits",
     "Waits for a GPU to end its work, before its memory pool was used again", MetricType::kCounter,
     [](const CudaDevices& devices) { return devices.pool_counters().waits; }},
};

}  // namespace

void AddCudaMetrics(CudaOnDemand* cuda, api::Prometheus* prometheus) {
  for (const DeviceMetric& row : kDeviceMetrics) {
    prometheus->Add(
        {std::string(row.name), std::string(row.help), row.type, [cuda, value = row.value] {
           // A scrape makes no devices: none are in use then.
           const std::shared_ptr<CudaDevices> devices = cuda->Opened();
           return devices == nullptr ? 0.0 : static_cast<double>(value(*devices));
         }});
  }
}

}  // namespace pt::server
