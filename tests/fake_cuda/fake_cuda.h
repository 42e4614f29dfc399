// A fake of NVIDIA's driver library, for tests on machines without a GPU. It is not a simulator:
// no kernels run here. What it does have:
//
//  - Device memory: host memory behind addresses that nothing may touch (PROT_NONE). Whoever reads
//    or writes a device address on the host dies, as on a real machine.
//  - IPC handles that work between processes: the memory is a memfd, the handle says whose.
//  - Streams that run nothing until somebody waits: forgotten synchronisation is seen at once.
//  - Events, primary contexts, page-locked memory, pointer attributes, cuGetProcAddress.
//
// It listens to these variables:
//   FAKE_CUDA_DEVICES   how many devices there are (1)
//   FAKE_CUDA_ERRORS    a file, read at each call: lines "<function> <CUresult>" let that call fail
//   FAKE_CUDA_COUNTS    a folder: each process keeps its Counter values there, in a file named for
//                       its process id, as 64-bit integers in the order below
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace fake {

constexpr int kSuccess = 0;
constexpr int kInvalidValue = 1;
constexpr int kOutOfMemory = 2;
constexpr int kNotInitialized = 3;
constexpr int kInvalidDevice = 101;
constexpr int kInvalidContext = 201;
constexpr int kInvalidHandle = 400;
constexpr int kNotFound = 500;
constexpr int kNotReady = 600;
constexpr int kIllegalAddress = 700;

enum Counter {
  kHostToDevice,  // copies, all that were ever made
  kDeviceToHost,
  kDeviceToDevice,
  kHostToHost,
  kOpenedEver,   // IPC handles
  kAllocations,  // the rest: those that there are now
  kOpened,
  kHostBlocks,
  kStreams,
  kEvents,
  kContexts,
  kCounters
};

struct Stream {
  unsigned int flags = 0;
  std::deque<std::function<int()>> waiting;
  uint64_t added = 0;
  uint64_t done = 0;
  int error = kSuccess;
};

struct Event {
  Stream* stream = nullptr;
  uint64_t position = 0;
};

struct Context {
  int device = 0;
  int references = 0;
  Stream legacy;  // the default stream
};

struct Memory {
  size_t size = 0;
  size_t room = 0;  // of the mappings
  char* bytes = nullptr;
  int device = 0;
  int file = -1;       // its memfd, when it is ours
  int references = 1;  // how often it was opened
  std::string handle;  // when it is another process's
};

// Everything of this process. Every call holds `mu` for as long as it lasts.
struct Driver {
  std::recursive_mutex mu;
  bool is_ready = false;
  std::vector<Context> contexts;
  std::set<Stream*> streams;
  std::set<Event*> events;
  std::map<uintptr_t, Memory> memories;     // by device address
  std::map<uintptr_t, size_t> host_blocks;  // page-locked
  uint64_t own_counts[kCounters] = {};
  uint64_t* counts = own_counts;

  Context* current();  // of this thread; null: none
  Stream* Find(void* stream);
  // Runs what waits in a stream, up to a position.
  int Run(Stream* stream, uint64_t position);
  int Run(Stream* stream) { return Run(stream, stream->added); }
  int RunAll();
};

Driver& Get();

// Begins a call: what it must fail with, or kSuccess.
class Call {
 public:
  enum class Needs { kNothing, kInit, kContext };
  explicit Call(const char* function, Needs needs = Needs::kContext);
  int error() const { return error_; }

 private:
  std::lock_guard<std::recursive_mutex> lock_;
  int error_ = kSuccess;
};

// The memory an address lies in, or null.
Memory* FindMemory(uintptr_t address, uintptr_t* begin);
int CopyNow(uintptr_t to, uintptr_t from, size_t size);

}  // namespace fake

#define FAKE_API extern "C" __attribute__((visibility("default"))) int
