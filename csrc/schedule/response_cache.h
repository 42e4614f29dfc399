// ResponseCache: answers of earlier requests, found again by everything that an answer may depend
// on. Bounded in bytes; what was not asked for longest goes first.
//
// Keys are compared whole, never by a hash alone: an answer is always that of an equal request.
// Thread rule: thread-safe. Owner rule: owned by server/; outlives every model.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/sip_hash.h"
#include "infer/request.h"
#include "infer/response.h"

namespace pt::schedule {

class ResponseCache {
 public:
  struct Counters {
    uint64_t entries = 0;
    uint64_t bytes = 0;  // keys, answers and what keeps them
    uint64_t hits = 0;
    uint64_t misses = 0;
    uint64_t evictions = 0;
    uint64_t lookup_ns = 0;
    uint64_t insertion_ns = 0;
  };

  explicit ResponseCache(uint64_t capacity_bytes);

  // Model, version, generation, parameters, wanted outputs, and name, type, shape and bytes of
  // every input. Nothing when the request can't be cached: its inputs lie in memory that a client
  // may still write, or are larger than the cache.
  std::optional<std::string> KeyOf(const InferRequest& request) const;

  // A copy that shares the bytes of the tensors; nothing when there is none.
  std::optional<InferResponse> Find(std::string_view key) EXCLUDES(mu_);
  // Keeps a copy. An answer that is too large, or whose key is there already, is left out.
  // REQUIRES: response.status.ok().
  void Insert(std::string key, const InferResponse& response) EXCLUDES(mu_);

  void AddLookupTime(Duration taken) EXCLUDES(mu_);
  void AddInsertionTime(Duration taken) EXCLUDES(mu_);
  Counters counters() const EXCLUDES(mu_);
  uint64_t capacity() const { return capacity_; }

 private:
  struct Entry {
    std::string key;
    InferResponse response;
    uint64_t bytes = 0;
  };
  using Entries = std::list<Entry>;  // front: asked for last

  struct Hasher {
    SipKey secret;
    size_t operator()(std::string_view key) const { return SipHash(secret, key); }
  };

  void EvictLocked() REQUIRES(mu_);

  const uint64_t capacity_;
  mutable Mutex mu_;
  Entries entries_ GUARDED_BY(mu_);
  // Views into the keys of entries_.
  std::unordered_map<std::string_view, Entries::iterator, Hasher> index_ GUARDED_BY(mu_);
  Counters counters_ GUARDED_BY(mu_);
};

}  // namespace pt::schedule
