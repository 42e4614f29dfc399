// CudaDriver: NVIDIA's driver library, opened at run time. The one place that knows its name; no
// CUDA header is needed to build, no GPU to run.
//
// Its functions are fetched by the exact names that the library exports ("_v2" and all): a name
// stands for one signature for ever, which tests/csrc/tensor/cuda_headers_test.cc compares with the
// real header where there is one.
// Thread rule: immutable, thread-safe as the driver is. Owner rule: a value; the library itself is
// never closed, because the driver does not outlive that.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/status.h"

namespace pt {

// The driver's types, as its ABI has them.
using CudaResult = int;                  // CUresult; 0: success
using CudaOrdinal = int;                 // CUdevice
using CudaAddress = unsigned long long;  // CUdeviceptr
using CudaContext = struct CudaContextObject*;
using CudaStream = struct CudaStreamObject*;
using CudaEvent = struct CudaEventObject*;

// A handle of device memory that another process opens; the bytes mean nothing to us.
struct CudaIpcHandle {
  static constexpr size_t kSize = 64;
  char bytes[kSize] = {};
};

struct CudaDriver {
  // Errors: Unavailable with the reason: no such library, or one that is too old.
  static Result<CudaDriver> Open(const std::string& library);
  static std::string DefaultLibrary();

  // OK, or Internal "expected <call> to succeed, got <name>: <text>".
  Status Check(CudaResult result, std::string_view call) const;

  // Each is named for the library's function that the .cc fetches for it; all are there.
  CudaResult (*init)(unsigned int flags) = nullptr;
  CudaResult (*get_error_name)(CudaResult error, const char** name) = nullptr;
  CudaResult (*get_error_string)(CudaResult error, const char** text) = nullptr;
  CudaResult (*device_get_count)(int* count) = nullptr;
  CudaResult (*device_get)(CudaOrdinal* device, int ordinal) = nullptr;
  CudaResult (*primary_ctx_retain)(CudaContext* context, CudaOrdinal device) = nullptr;
  CudaResult (*primary_ctx_release)(CudaOrdinal device) = nullptr;
  CudaResult (*ctx_push)(CudaContext context) = nullptr;
  CudaResult (*ctx_pop)(CudaContext* context) = nullptr;
  CudaResult (*ctx_synchronize)() = nullptr;
  CudaResult (*stream_create)(CudaStream* stream, unsigned int flags) = nullptr;
  CudaResult (*stream_destroy)(CudaStream stream) = nullptr;
  CudaResult (*stream_synchronize)(CudaStream stream) = nullptr;
  CudaResult (*event_create)(CudaEvent* event, unsigned int flags) = nullptr;
  CudaResult (*event_record)(CudaEvent event, CudaStream stream) = nullptr;
  CudaResult (*event_synchronize)(CudaEvent event) = nullptr;
  CudaResult (*event_destroy)(CudaEvent event) = nullptr;
  CudaResult (*mem_alloc)(CudaAddress* address, size_t size) = nullptr;
  CudaResult (*mem_free)(CudaAddress address) = nullptr;
  CudaResult (*mem_host_alloc)(void** memory, size_t size, unsigned int flags) = nullptr;
  CudaResult (*mem_free_host)(void* memory) = nullptr;
  CudaResult (*memcpy_async)(CudaAddress to, CudaAddress from, size_t size,
                             CudaStream stream) = nullptr;
  CudaResult (*mem_get_address_range)(CudaAddress* begin, size_t* size,
                                      CudaAddress address) = nullptr;
  CudaResult (*pointer_get_attribute)(void* value, int attribute, CudaAddress address) = nullptr;
  CudaResult (*ipc_get_mem_handle)(CudaIpcHandle* handle, CudaAddress address) = nullptr;
  CudaResult (*ipc_open_mem_handle)(CudaAddress* address, CudaIpcHandle handle,
                                    unsigned int flags) = nullptr;
  CudaResult (*ipc_close_mem_handle)(CudaAddress address) = nullptr;
};

}  // namespace pt
