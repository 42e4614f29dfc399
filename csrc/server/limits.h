// ConnectionLimits and MemoryBudget: what a client may take of the server.
//
// Thread rule: ConnectionLimits is a value; MemoryBudget is thread-safe.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace pt::server {

// Defaults are those of the options table. A time that never ends is kForever.
inline constexpr Duration kForever = Duration::max();

struct ConnectionLimits {
  uint64_t max_request_bytes = (uint64_t{1} << 31) - 1;
  size_t max_header_bytes = 64 << 10;
  size_t max_headers = 2000;
  Duration header_timeout = std::chrono::seconds(30);
  Duration body_idle_timeout = std::chrono::seconds(60);
  Duration idle_timeout = kForever;
  int64_t max_connections = 10000;
  size_t max_pipelined = 128;
  uint32_t max_http2_streams = 1024;
};

// Bytes of large bodies that are under way. A client that announces much gets it only while there
// is room.
class MemoryBudget {
 public:
  explicit MemoryBudget(uint64_t limit) : limit_(limit) {}

  // Also grants one claim above the limit when nothing else is claimed.
  bool TryClaim(uint64_t bytes) {
    const uint64_t before = claimed_.fetch_add(bytes, std::memory_order_relaxed);
    if (before == 0 || before + bytes <= limit_) return true;
    Return(bytes);
    return false;
  }
  void Return(uint64_t bytes) { claimed_.fetch_sub(bytes, std::memory_order_relaxed); }
  uint64_t claimed() const { return claimed_.load(std::memory_order_relaxed); }

 private:
  const uint64_t limit_;
  std::atomic<uint64_t> claimed_{0};
};

}  // namespace pt::server
