// The fake driver: start, devices, contexts, errors and cuGetProcAddress.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>

#include "fake_cuda.h"

namespace fake {
namespace {

constexpr int kVersion = 12080;
constexpr uint64_t kDeviceBytes = uint64_t{8} << 30;

std::vector<Context*>& Stack() {
  static thread_local std::vector<Context*> stack;
  return stack;
}

int InjectedError(const char* function) {
  const char* const path = getenv("FAKE_CUDA_ERRORS");
  if (path == nullptr) return kSuccess;
  std::ifstream file(path);
  std::string name;
  int error = 0;
  while (file >> name >> error) {
    if (name == function) return error;
  }
  return kSuccess;
}

void MapCounts(Driver* driver) {
  const char* const folder = getenv("FAKE_CUDA_COUNTS");
  if (folder == nullptr) return;
  const std::string path = std::string(folder) + "/" + std::to_string(getpid());
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0 || ftruncate(file, sizeof(driver->own_counts)) != 0) return;
  void* counts =
      mmap(nullptr, sizeof(driver->own_counts), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (counts != MAP_FAILED) driver->counts = static_cast<uint64_t*>(counts);
}

struct ErrorName {
  int error;
  const char* name;
  const char* text;
};

constexpr ErrorName kErrors[] = {
    {kSuccess, "CUDA_SUCCESS", "no error"},
    {kInvalidValue, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {kOutOfMemory, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {kNotInitialized, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {100, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {kInvalidDevice, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {kInvalidContext, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {kInvalidHandle, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {kNotFound, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {kNotReady, "CUDA_ERROR_NOT_READY", "device not ready"},
    {kIllegalAddress, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {999, "CUDA_ERROR_UNKNOWN", "unknown error"},
};

const ErrorName* FindError(int error) {
  for (const ErrorName& row : kErrors) {
    if (row.error == error) return &row;
  }
  return nullptr;
}

Context* ContextOf(int device) {
  Driver& driver = Get();
  const bool is_known = device >= 0 && device < static_cast<int>(driver.contexts.size());
  return is_known ? &driver.contexts[static_cast<size_t>(device)] : nullptr;
}

}  // namespace

Driver& Get() {
  static Driver* const driver = new Driver;  // outlives every thread
  return *driver;
}

Call::Call(const char* function, Needs needs) : lock_(Get().mu) {
  error_ = InjectedError(function);
  if (error_ != kSuccess || needs == Needs::kNothing) return;
  if (!Get().is_ready) {
    error_ = kNotInitialized;
  } else if (needs == Needs::kContext && Get().current() == nullptr) {
    error_ = kInvalidContext;
  }
}

Context* Driver::current() { return Stack().empty() ? nullptr : Stack().back(); }

}  // namespace fake

using fake::Call;
using fake::Context;
using fake::Get;
using Needs = Call::Needs;

FAKE_API cuInit(unsigned int flags) {
  const Call call("cuInit", Needs::kNothing);
  if (call.error() != 0) return call.error();
  fake::Driver& driver = Get();
  if (driver.is_ready) return 0;
  const char* const devices = getenv("FAKE_CUDA_DEVICES");
  const int count = devices == nullptr ? 1 : atoi(devices);
  if (count <= 0) return 100;
  driver.contexts.resize(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) driver.contexts[static_cast<size_t>(i)].device = i;
  fake::MapCounts(&driver);
  driver.is_ready = true;
  return 0;
}

FAKE_API cuDriverGetVersion(int* version) {
  *version = fake::kVersion;
  return 0;
}

FAKE_API cuGetErrorName(int error, const char** name) {
  const auto* row = fake::FindError(error);
  *name = row == nullptr ? nullptr : row->name;
  return row == nullptr ? fake::kInvalidValue : 0;
}

FAKE_API cuGetErrorString(int error, const char** text) {
  const auto* row = fake::FindError(error);
  *text = row == nullptr ? nullptr : row->text;
  return row == nullptr ? fake::kInvalidValue : 0;
}

FAKE_API cuDeviceGetCount(int* count) {
  const Call call("cuDeviceGetCount", Needs::kInit);
  *count = static_cast<int>(Get().contexts.size());
  return call.error();
}

FAKE_API cuDeviceGet(int* device, int ordinal) {
  const Call call("cuDeviceGet", Needs::kInit);
  if (call.error() != 0) return call.error();
  if (fake::ContextOf(ordinal) == nullptr) return fake::kInvalidDevice;
  *device = ordinal;
  return 0;
}

FAKE_API cuDeviceGetName(char* name, int size, int device) {
  snprintf(name, static_cast<size_t>(size), "Fake GPU %d of pytriton's tests", device);
  return 0;
}

FAKE_API cuDeviceTotalMem_v2(size_t* bytes, int device) {
  *bytes = fake::kDeviceBytes;
  return 0;
}

FAKE_API cuDeviceGetUuid_v2(char* uuid, int device) {
  memset(uuid, 0, 16);
  uuid[0] = static_cast<char>(device);
  return 0;
}

FAKE_API cuDeviceGetAttribute(int* value, int attribute, int device) {
  const Call call("cuDeviceGetAttribute", Needs::kInit);
  if (call.error() != 0) return call.error();
  if (fake::ContextOf(device) == nullptr) return fake::kInvalidDevice;
  constexpr int kUnifiedAddressing = 41;
  constexpr int kMajor = 75;
  *value = attribute == kMajor ? 9 : attribute == kUnifiedAddressing ? 1 : 0;
  return 0;
}

FAKE_API cuDeviceCanAccessPeer(int* can, int device, int peer) {
  *can = device != peer ? 1 : 0;
  return 0;
}

FAKE_API cuDevicePrimaryCtxRetain(void** context, int device) {
  const Call call("cuDevicePrimaryCtxRetain", Needs::kInit);
  if (call.error() != 0) return call.error();
  Context* const found = fake::ContextOf(device);
  if (found == nullptr) return fake::kInvalidDevice;
  if (found->references++ == 0) ++Get().counts[fake::kContexts];
  *context = found;
  return 0;
}

FAKE_API cuDevicePrimaryCtxRelease_v2(int device) {
  const Call call("cuDevicePrimaryCtxRelease_v2", Needs::kInit);
  if (call.error() != 0) return call.error();
  Context* const found = fake::ContextOf(device);
  if (found == nullptr) return fake::kInvalidDevice;
  if (found->references == 0) return fake::kInvalidContext;
  if (--found->references == 0) --Get().counts[fake::kContexts];
  return 0;
}

FAKE_API cuDevicePrimaryCtxSetFlags_v2(int device, unsigned int flags) { return 0; }

FAKE_API cuDevicePrimaryCtxGetState(int device, unsigned int* flags, int* is_active) {
  const Call call("cuDevicePrimaryCtxGetState", Needs::kInit);
  if (call.error() != 0) return call.error();
  Context* const found = fake::ContextOf(device);
  if (found == nullptr) return fake::kInvalidDevice;
  *flags = 0;
  *is_active = found->references > 0 ? 1 : 0;
  return 0;
}

FAKE_API cuCtxPushCurrent_v2(void* context) {
  const Call call("cuCtxPushCurrent_v2", Needs::kInit);
  if (call.error() != 0) return call.error();
  fake::Stack().push_back(static_cast<Context*>(context));
  return 0;
}

FAKE_API cuCtxPopCurrent_v2(void** context) {
  const Call call("cuCtxPopCurrent_v2", Needs::kContext);
  if (call.error() != 0) return call.error();
  if (context != nullptr) *context = fake::Stack().back();
  fake::Stack().pop_back();
  return 0;
}

FAKE_API cuCtxSetCurrent(void* context) {
  const Call call("cuCtxSetCurrent", Needs::kInit);
  if (call.error() != 0) return call.error();
  if (!fake::Stack().empty()) fake::Stack().pop_back();
  if (context != nullptr) fake::Stack().push_back(static_cast<Context*>(context));
  return 0;
}

FAKE_API cuCtxGetCurrent(void** context) {
  const Call call("cuCtxGetCurrent", Needs::kInit);
  *context = Get().current();
  return call.error();
}

FAKE_API cuCtxGetDevice(int* device) {
  const Call call("cuCtxGetDevice", Needs::kContext);
  if (call.error() == 0) *device = Get().current()->device;
  return call.error();
}

FAKE_API cuCtxGetApiVersion(void* context, unsigned int* version) {
  *version = 3020;
  return 0;
}

FAKE_API cuCtxSynchronize() {
  const Call call("cuCtxSynchronize", Needs::kContext);
  return call.error() != 0 ? call.error() : Get().RunAll();
}

// The newest version of a function that there is.
FAKE_API cuGetProcAddress_v2(const char* symbol, void** function, int version, uint64_t flags,
                             int* status) {
  *function = nullptr;
  for (const char* suffix : {"_v3", "_v2", ""}) {
    if (*function == nullptr) {
      *function = dlsym(RTLD_DEFAULT, (std::string(symbol) + suffix).c_str());
    }
  }
  if (status != nullptr) *status = *function == nullptr ? 1 : 0;
  return *function == nullptr ? fake::kNotFound : 0;
}

FAKE_API cuGetProcAddress(const char* symbol, void** function, int version, uint64_t flags) {
  return cuGetProcAddress_v2(symbol, function, version, flags, nullptr);
}

// Only for tests in this process: a Counter's value.
extern "C" __attribute__((visibility("default"))) uint64_t fake_cuda_count(int counter) {
  const std::lock_guard<std::recursive_mutex> lock(Get().mu);
  return Get().counts[counter];
}
