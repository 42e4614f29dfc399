// The fake driver: memory, handles for other processes, copies.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "fake_cuda.h"

namespace fake {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kHandle = 64;
constexpr size_t kMost = size_t{8} << 30;

// What an IPC handle says: where another process finds the memory.
struct Handle {
  char mark[8];
  int32_t process;
  int32_t file;
  uint64_t size;
  uint64_t inode;  // a descriptor may be another file's by now
  int32_t device;
};
constexpr char kMark[8] = {'f', 'a', 'k', 'e', 'c', 'u', 'd', 'a'};

size_t RoundUp(size_t size) { return (size + kPage - 1) / kPage * kPage; }

// Maps the bytes, and takes an address for them that nothing may touch. 0: no memory.
uintptr_t Map(int file, Memory* memory) {
  memory->room = RoundUp(memory->size);
  void* bytes = mmap(nullptr, memory->room, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (bytes == MAP_FAILED) return 0;
  void* address =
      mmap(nullptr, memory->room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (address == MAP_FAILED) {
    munmap(bytes, memory->room);
    return 0;
  }
  memory->bytes = static_cast<char*>(bytes);
  return reinterpret_cast<uintptr_t>(address);
}

void Unmap(uintptr_t address, const Memory& memory) {
  munmap(memory.bytes, memory.room);
  munmap(reinterpret_cast<void*>(address), memory.room);
  if (memory.file >= 0) close(memory.file);
}

// Where the bytes of a range are; null: it leaves its allocation.
char* Resolve(uintptr_t address, size_t size, bool* is_device) {
  uintptr_t begin = 0;
  const Memory* const memory = FindMemory(address, &begin);
  *is_device = memory != nullptr;
  if (memory == nullptr) return reinterpret_cast<char*>(address);
  const size_t offset = address - begin;
  return size > memory->size - offset ? nullptr : memory->bytes + offset;
}

}  // namespace

Memory* FindMemory(uintptr_t address, uintptr_t* begin) {
  auto& memories = Get().memories;
  auto after = memories.upper_bound(address);
  if (after == memories.begin()) return nullptr;
  --after;
  if (address - after->first >= after->second.size) return nullptr;
  *begin = after->first;
  return &after->second;
}

int CopyNow(uintptr_t to, uintptr_t from, size_t size) {
  if (size == 0) return kSuccess;
  bool to_device = false;
  bool from_device = false;
  char* const target = Resolve(to, size, &to_device);
  char* const source = Resolve(from, size, &from_device);
  if (target == nullptr || source == nullptr) return kIllegalAddress;
  memmove(target, source, size);
  const Counter counter = to_device ? (from_device ? kDeviceToDevice : kHostToDevice)
                                    : (from_device ? kDeviceToHost : kHostToHost);
  ++Get().counts[counter];
  return kSuccess;
}

}  // namespace fake

using fake::Call;
using fake::Get;
using fake::Memory;
using Address = unsigned long long;

FAKE_API cuMemAlloc_v2(Address* address, size_t size) {
  const Call call("cuMemAlloc_v2");
  if (call.error() != 0) return call.error();
  if (size == 0) return fake::kInvalidValue;
  if (size > fake::kMost) return fake::kOutOfMemory;
  Memory memory;
  memory.size = size;
  memory.device = Get().current()->device;
  memory.file = memfd_create("fake-cuda", MFD_CLOEXEC);
  if (memory.file < 0) return fake::kOutOfMemory;
  if (ftruncate(memory.file, static_cast<off_t>(fake::RoundUp(size))) != 0) {
    close(memory.file);
    return fake::kOutOfMemory;
  }
  const uintptr_t made = fake::Map(memory.file, &memory);
  if (made == 0) {
    close(memory.file);
    return fake::kOutOfMemory;
  }
  Get().memories.emplace(made, memory);
  ++Get().counts[fake::kAllocations];
  *address = made;
  return 0;
}

FAKE_API cuMemFree_v2(Address address) {
  const Call call("cuMemFree_v2");
  if (call.error() != 0) return call.error();
  Get().RunAll();
  const auto found = Get().memories.find(address);
  if (found == Get().memories.end() || found->second.file < 0) return fake::kInvalidValue;
  fake::Unmap(found->first, found->second);
  Get().memories.erase(found);
  --Get().counts[fake::kAllocations];
  return 0;
}

FAKE_API cuMemGetInfo_v2(size_t* available, size_t* total) {
  *available = *total = fake::kMost;
  return 0;
}

FAKE_API cuMemGetAddressRange_v2(Address* begin, size_t* size, Address address) {
  const Call call("cuMemGetAddressRange_v2");
  if (call.error() != 0) return call.error();
  uintptr_t start = 0;
  const Memory* const memory = fake::FindMemory(address, &start);
  if (memory == nullptr) return fake::kNotFound;
  if (begin != nullptr) *begin = start;
  if (size != nullptr) *size = memory->size;
  return 0;
}

FAKE_API cuPointerGetAttribute(void* value, int attribute, Address address) {
  const Call call("cuPointerGetAttribute", Call::Needs::kInit);
  if (call.error() != 0) return call.error();
  uintptr_t begin = 0;
  const Memory* const memory = fake::FindMemory(address, &begin);
  auto& blocks = Get().host_blocks;
  auto block = blocks.upper_bound(address);
  const bool is_host = block != blocks.begin() && address - (--block)->first < block->second;
  if (memory == nullptr && !is_host) return fake::kInvalidValue;
  constexpr int kMemoryType = 2;
  constexpr int kOrdinal = 9;
  if (attribute == kMemoryType) {
    *static_cast<unsigned int*>(value) = memory != nullptr ? 2 : 1;
  } else if (attribute == kOrdinal) {
    *static_cast<int*>(value) = memory != nullptr ? memory->device : 0;
  } else {
    return fake::kInvalidValue;
  }
  return 0;
}

FAKE_API cuMemHostAlloc(void** memory, size_t size, unsigned int flags) {
  const Call call("cuMemHostAlloc");
  if (call.error() != 0) return call.error();
  void* made = mmap(nullptr, fake::RoundUp(size), PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (made == MAP_FAILED) return fake::kOutOfMemory;
  Get().host_blocks.emplace(reinterpret_cast<uintptr_t>(made), fake::RoundUp(size));
  ++Get().counts[fake::kHostBlocks];
  *memory = made;
  return 0;
}

FAKE_API cuMemAllocHost_v2(void** memory, size_t size) { return cuMemHostAlloc(memory, size, 0); }

FAKE_API cuMemFreeHost(void* memory) {
  const Call call("cuMemFreeHost");
  if (call.error() != 0) return call.error();
  Get().RunAll();
  const auto found = Get().host_blocks.find(reinterpret_cast<uintptr_t>(memory));
  if (found == Get().host_blocks.end()) return fake::kInvalidValue;
  munmap(memory, found->second);
  Get().host_blocks.erase(found);
  --Get().counts[fake::kHostBlocks];
  return 0;
}

FAKE_API cuMemcpyAsync(Address to, Address from, size_t size, void* stream) {
  const Call call("cuMemcpyAsync");
  if (call.error() != 0) return call.error();
  fake::Stream* const found = Get().Find(stream);
  if (found == nullptr) return fake::kInvalidHandle;
  found->waiting.emplace_back([=] { return fake::CopyNow(to, from, size); });
  ++found->added;
  return 0;
}

// Copies that wait by themselves, after everything that waits.
FAKE_API cuMemcpy(Address to, Address from, size_t size) {
  const Call call("cuMemcpy");
  if (call.error() != 0) return call.error();
  const int error = Get().RunAll();
  return error != 0 ? error : fake::CopyNow(to, from, size);
}

FAKE_API cuMemcpyHtoD_v2(Address to, const void* from, size_t size) {
  return cuMemcpy(to, reinterpret_cast<uintptr_t>(from), size);
}

FAKE_API cuMemcpyDtoH_v2(void* to, Address from, size_t size) {
  return cuMemcpy(reinterpret_cast<uintptr_t>(to), from, size);
}

FAKE_API cuMemcpyDtoD_v2(Address to, Address from, size_t size) { return cuMemcpy(to, from, size); }

FAKE_API cuMemcpyHtoDAsync_v2(Address to, const void* from, size_t size, void* stream) {
  return cuMemcpyAsync(to, reinterpret_cast<uintptr_t>(from), size, stream);
}

FAKE_API cuMemcpyDtoHAsync_v2(void* to, Address from, size_t size, void* stream) {
  return cuMemcpyAsync(reinterpret_cast<uintptr_t>(to), from, size, stream);
}

FAKE_API cuMemcpyDtoDAsync_v2(Address to, Address from, size_t size, void* stream) {
  return cuMemcpyAsync(to, from, size, stream);
}

FAKE_API cuIpcGetMemHandle(char* handle, Address address) {
  const Call call("cuIpcGetMemHandle");
  if (call.error() != 0) return call.error();
  uintptr_t begin = 0;
  const Memory* const memory = fake::FindMemory(address, &begin);
  struct stat info = {};
  if (memory == nullptr || memory->file < 0) return fake::kInvalidValue;
  if (fstat(memory->file, &info) != 0) return fake::kInvalidValue;
  fake::Handle content = {{}, getpid(), memory->file, memory->size, info.st_ino, memory->device};
  memcpy(content.mark, fake::kMark, sizeof(content.mark));
  memset(handle, 0, fake::kHandle);
  memcpy(handle, &content, sizeof(content));
  return 0;
}

struct HandleBytes {
  char bytes[fake::kHandle];
};

FAKE_API cuIpcOpenMemHandle_v2(Address* address, HandleBytes handle, unsigned int flags) {
  const Call call("cuIpcOpenMemHandle_v2");
  if (call.error() != 0) return call.error();
  fake::Handle content = {};
  memcpy(&content, handle.bytes, sizeof(content));
  if (flags != 1 || memcmp(content.mark, fake::kMark, sizeof(content.mark)) != 0) {
    return fake::kInvalidValue;
  }
  if (content.process == getpid()) return fake::kInvalidContext;  // as the real one
  const std::string key(handle.bytes, fake::kHandle);
  for (auto& [begin, memory] : Get().memories) {
    if (memory.handle != key) continue;
    ++memory.references;
    ++Get().counts[fake::kOpenedEver];
    *address = begin;
    return 0;
  }
  char path[64];
  snprintf(path, sizeof(path), "/proc/%d/fd/%d", content.process, content.file);
  const int file = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return fake::kInvalidHandle;
  struct stat info = {};
  Memory memory;
  memory.size = content.size;
  memory.device = Get().current()->device;
  memory.handle = key;
  const bool is_same = fstat(file, &info) == 0 && info.st_ino == content.inode &&
                       static_cast<uint64_t>(info.st_size) >= content.size;
  const uintptr_t made = is_same ? fake::Map(file, &memory) : 0;
  close(file);
  if (made == 0) return fake::kInvalidHandle;
  Get().memories.emplace(made, memory);
  ++Get().counts[fake::kOpenedEver];
  ++Get().counts[fake::kOpened];
  *address = made;
  return 0;
}

FAKE_API cuIpcCloseMemHandle(Address address) {
  const Call call("cuIpcCloseMemHandle");
  if (call.error() != 0) return call.error();
  const auto found = Get().memories.find(address);
  if (found == Get().memories.end() || found->second.handle.empty()) return fake::kInvalidValue;
  if (--found->second.references > 0) return 0;
  fake::Unmap(found->first, found->second);
  Get().memories.erase(found);
  --Get().counts[fake::kOpened];
  return 0;
}
