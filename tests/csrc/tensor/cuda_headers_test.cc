// Whether our table of the driver's functions is what NVIDIA's header says. Without a header (the
// usual case) there is nothing to compare with.
#include <gtest/gtest.h>

#include "tensor/cuda_driver.h"

#if __has_include(<cuda.h>)
#include <cuda.h>

#include <type_traits>

namespace pt {
namespace {

// The same to the ABI: pointers are pointers, numbers and enumerations are as wide, structures as
// large and as simple.
template <typename Ours, typename Real>
constexpr bool AreAlike() {
  if constexpr (std::is_pointer_v<Ours> || std::is_pointer_v<Real>) {
    return std::is_pointer_v<Ours> && std::is_pointer_v<Real>;
  } else {
    constexpr bool is_class = std::is_class_v<Ours>;
    return is_class == std::is_class_v<Real> && sizeof(Ours) == sizeof(Real) &&
           std::is_trivially_copyable_v<Ours> && std::is_trivially_copyable_v<Real> &&
           std::is_floating_point_v<Ours> == std::is_floating_point_v<Real>;
  }
}

template <typename Ours, typename Real>
struct Compare : std::false_type {};

template <typename OurResult, typename... Ours, typename RealResult, typename... Real>
  requires(sizeof...(Ours) == sizeof...(Real))
struct Compare<OurResult (*)(Ours...), RealResult (*)(Real...)>
    : std::bool_constant<AreAlike<OurResult, RealResult>() && (AreAlike<Ours, Real>() && ...)> {};

template <auto Member, typename Real>
constexpr bool kIsSame =
    Compare<std::remove_reference_t<decltype(std::declval<CudaDriver&>().*Member)>, Real*>::value;

// Unversioned names are macros in the header: they stand for the versions that we fetch.
static_assert(kIsSame<&CudaDriver::init, decltype(cuInit)>);
static_assert(kIsSame<&CudaDriver::get_error_name, decltype(cuGetErrorName)>);
static_assert(kIsSame<&CudaDriver::get_error_string, decltype(cuGetErrorString)>);
static_assert(kIsSame<&CudaDriver::device_get_count, decltype(cuDeviceGetCount)>);
static_assert(kIsSame<&CudaDriver::device_get, decltype(cuDeviceGet)>);
static_assert(kIsSame<&CudaDriver::primary_ctx_retain, decltype(cuDevicePrimaryCtxRetain)>);
static_assert(kIsSame<&CudaDriver::primary_ctx_release, decltype(cuDevicePrimaryCtxRelease_v2)>);
static_assert(kIsSame<&CudaDriver::ctx_push, decltype(cuCtxPushCurrent_v2)>);
static_assert(kIsSame<&CudaDriver::ctx_pop, decltype(cuCtxPopCurrent_v2)>);
static_assert(kIsSame<&CudaDriver::ctx_synchronize, decltype(cuCtxSynchronize)>);
static_assert(kIsSame<&CudaDriver::stream_create, decltype(cuStreamCreate)>);
static_assert(kIsSame<&CudaDriver::stream_destroy, decltype(cuStreamDestroy_v2)>);
static_assert(kIsSame<&CudaDriver::stream_synchronize, decltype(cuStreamSynchronize)>);
static_assert(kIsSame<&CudaDriver::event_create, decltype(cuEventCreate)>);
static_assert(kIsSame<&CudaDriver::event_record, decltype(cuEventRecord)>);
static_assert(kIsSame<&CudaDriver::event_synchronize, decltype(cuEventSynchronize)>);
static_assert(kIsSame<&CudaDriver::event_destroy, decltype(cuEventDestroy_v2)>);
static_assert(kIsSame<&CudaDriver::mem_alloc, decltype(cuMemAlloc_v2)>);
static_assert(kIsSame<&CudaDriver::mem_free, decltype(cuMemFree_v2)>);
static_assert(kIsSame<&CudaDriver::mem_host_alloc, decltype(cuMemHostAlloc)>);
static_assert(kIsSame<&CudaDriver::mem_free_host, decltype(cuMemFreeHost)>);
static_assert(kIsSame<&CudaDriver::memcpy_async, decltype(cuMemcpyAsync)>);
static_assert(kIsSame<&CudaDriver::mem_get_address_range, decltype(cuMemGetAddressRange_v2)>);
static_assert(kIsSame<&CudaDriver::pointer_get_attribute, decltype(cuPointerGetAttribute)>);
static_assert(kIsSame<&CudaDriver::ipc_get_mem_handle, decltype(cuIpcGetMemHandle)>);
static_assert(kIsSame<&CudaDriver::ipc_open_mem_handle, decltype(cuIpcOpenMemHandle_v2)>);
static_assert(kIsSame<&CudaDriver::ipc_close_mem_handle, decltype(cuIpcCloseMemHandle)>);
// The numbers in tensor/cuda_devices.cc.
static_assert(CU_STREAM_NON_BLOCKING == 1 && CU_EVENT_DISABLE_TIMING == 2);
static_assert(CU_MEMHOSTALLOC_PORTABLE == 1 && CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS == 1);
static_assert(CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL == 9 && CU_IPC_HANDLE_SIZE == 64);
static_assert(CUDA_SUCCESS == 0);

TEST(CudaHeaders, AgreeWithOurTable) { SUCCEED() << "compared when this was compiled"; }

}  // namespace
}  // namespace pt

#else

TEST(CudaHeaders, AgreeWithOurTable) {
  GTEST_SKIP() << "no cuda.h was found when this was built (see cmake/tests.cmake)";
}

#endif
