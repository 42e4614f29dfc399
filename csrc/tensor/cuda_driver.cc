#include "tensor/cuda_driver.h"

#include <dlfcn.h>

namespace pt {
namespace {

// Fetches functions by name and remembers which one was missing.
class Fetcher {
 public:
  explicit Fetcher(void* library) : library_(library) {}

  template <typename Function>
  void operator()(const char* name, Function* function) {
    *function = reinterpret_cast<Function>(dlsym(library_, name));
    if (*function == nullptr) missing_ = name;
  }
  const char* missing() const { return missing_; }

 private:
  void* const library_;
  const char* missing_ = nullptr;
};

const char* FetchAll(void* library, CudaDriver* driver) {
  Fetcher fetch(library);
  fetch("cuInit", &driver->init);
  fetch("cuGetErrorName", &driver->get_error_name);
  fetch("cuGetErrorString", &driver->get_error_string);
  fetch("cuDeviceGetCount", &driver->device_get_count);
  fetch("cuDeviceGet", &driver->device_get);
  fetch("cuDevicePrimaryCtxRetain", &driver->primary_ctx_retain);
  fetch("cuDevicePrimaryCtxRelease_v2", &driver->primary_ctx_release);
  fetch("cuCtxPushCurrent_v2", &driver->ctx_push);
  fetch("cuCtxPopCurrent_v2", &driver->ctx_pop);
  fetch("cuCtxSynchronize", &driver->ctx_synchronize);
  fetch("cuStreamCreate", &driver->stream_create);
  fetch("cuStreamDestroy_v2", &driver->stream_destroy);
  fetch("cuStreamSynchronize", &driver->stream_synchronize);
  fetch("cuEventCreate", &driver->event_create);
  fetch("cuEventRecord", &driver->event_record);
  fetch("cuEventSynchronize", &driver->event_synchronize);
  fetch("cuEventDestroy_v2", &driver->event_destroy);
  fetch("cuMemAlloc_v2", &driver->mem_alloc);
  fetch("cuMemFree_v2", &driver->mem_free);
  fetch("cuMemHostAlloc", &driver->mem_host_alloc);
  fetch("cuMemFreeHost", &driver->mem_free_host);
  fetch("cuMemcpyAsync", &driver->memcpy_async);
  fetch("cuMemGetAddressRange_v2", &driver->mem_get_address_range);
  fetch("cuPointerGetAttribute", &driver->pointer_get_attribute);
  fetch("cuIpcGetMemHandle", &driver->ipc_get_mem_handle);
  fetch("cuIpcOpenMemHandle_v2", &driver->ipc_open_mem_handle);
  fetch("cuIpcCloseMemHandle", &driver->ipc_close_mem_handle);
  return fetch.missing();
}

}  // namespace

std::string CudaDriver::DefaultLibrary() { return "libcuda.so.1"; }

Result<CudaDriver> CudaDriver::Open(const std::string& library) {
  void* const opened = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (opened == nullptr) {
    const char* const reason = dlerror();
    return Unavailable("expected NVIDIA's driver library, got: " +
                       std::string(reason != nullptr ? reason : library));
  }
  CudaDriver driver;
  const char* const missing = FetchAll(opened, &driver);
  if (missing == nullptr) return driver;
  return Unavailable("expected NVIDIA's driver library, got " + library + " without " + missing);
}

Status CudaDriver::Check(CudaResult result, std::string_view call) const {
  if (result == 0) return {};
  const char* name = nullptr;
  const char* text = nullptr;
  if (get_error_name(result, &name) != 0 || name == nullptr) name = "an unknown error";
  if (get_error_string(result, &text) != 0 || text == nullptr) text = "no description";
  return Internal("expected " + std::string(call) + " to succeed, got " + name + " (" +
                  std::to_string(result) + "): " + text);
}

}  // namespace pt
