#include "server/cache_setup.h"

#include <charconv>
#include <string>
#include <string_view>
#include <vector>

namespace pt::server {
namespace {

using Counters = schedule::ResponseCache::Counters;

constexpr std::string_view kLocal = "local";

struct CacheSetting {
  std::string_view cache;
  std::string_view key;
  std::string_view value;
};

Result<CacheSetting> ParseCacheSetting(std::string_view text) {
  const size_t comma = text.find(',');
  if (comma == 0 || comma == std::string_view::npos) {
    return InvalidArgument(
        "No cache specified. --cache-config option format is <cache name>,<setting>=<value>. Got " +
        std::string(text));
  }
  const size_t equals = text.find('=', comma);
  if (equals == std::string_view::npos || equals == comma + 1 || equals + 1 == text.size()) {
    return InvalidArgument(
        "--cache-config option format is '<cache name>,<setting>=<value>'. Got " +
        std::string(text));
  }
  return CacheSetting{text.substr(0, comma), text.substr(comma + 1, equals - comma - 1),
                      text.substr(equals + 1)};
}

Result<uint64_t> ParseSize(std::string_view text) {
  uint64_t size = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), size);
  if (error != std::errc() || end != text.data() + text.size()) {
    return InvalidArgument("Failed to initialize LocalCache: expected a size in bytes, got '" +
                           std::string(text) + "'");
  }
  return size;
}

Result<uint64_t> ReadCacheConfig(const std::vector<std::string>& texts,
                                 const std::string& directory) {
  std::string_view size;
  std::string_view cache;
  for (const std::string& text : texts) {
    PT_ASSIGN_OR_RETURN(const CacheSetting setting, ParseCacheSetting(text));
    if (!cache.empty() && cache != setting.cache) {
      return InvalidArgument(
          "found multiple cache configurations, but only a single cache is currently supported");
    }
    cache = setting.cache;
    if (setting.key == "size") size = setting.value;
  }
  if (cache != kLocal) {
    return InvalidArgument("unable to find 'libtritoncache_" + std::string(cache) +
                           ".so' for cache. Searched: " + directory);
  }
  if (size.empty()) {
    return InvalidArgument(
        "Failed to initialize LocalCache: config didn't contain a valid 'size' field.");
  }
  return ParseSize(size);
}

struct CacheMetric {
  std::string_view name;
  std::string_view help;
  uint64_t (*value)(const Counters& counters);
};

constexpr CacheMetric kMetrics[] = {
    {"nv_cache_num_entries", "Number of responses stored in response cache",
     [](const Counters& counters) { return counters.entries; }},
    {"nv_cache_num_lookups", "Number of cache lookups in response cache",
     [](const Counters& counters) { return counters.hits + counters.misses; }},
    {"nv_cache_num_hits", "Number of cache hits in response cache",
     [](const Counters& counters) { return counters.hits; }},
    {"nv_cache_num_misses", "Number of cache misses in response cache",
     [](const Counters& counters) { return counters.misses; }},
    {"nv_cache_num_evictions", "Number of cache evictions in response cache",
     [](const Counters& counters) { return counters.evictions; }},
    {"nv_cache_lookup_duration", "Total cache lookup duration (hit and miss), in microseconds",
     [](const Counters& counters) { return counters.lookup_ns / 1000; }},
    {"nv_cache_insertion_duration", "Total cache insertion duration, in microseconds",
     [](const Counters& counters) { return counters.insertion_ns / 1000; }},
};

}  // namespace

Result<uint64_t> ReadCacheBytes(const OptionValues& options) {
  const std::vector<std::string> texts = options.GetList("cache-config");
  const auto bytes = static_cast<uint64_t>(options.GetInt("response-cache-byte-size"));
  if (texts.empty()) return bytes;
  if (options.IsSet("response-cache-byte-size")) {
    return InvalidArgument(
        "expected one of --response-cache-byte-size and --cache-config, got both");
  }
  return ReadCacheConfig(texts, options.GetString("cache-directory"));
}

void AddCacheMetrics(const schedule::ResponseCache* cache, api::Prometheus* prometheus) {
  prometheus->Add(
      {"nv_cache_util", "Cache utilization [0.0 - 1.0]", api::MetricType::kGauge, [cache] {
         return static_cast<double>(cache->counters().bytes) /
                static_cast<double>(cache->capacity());
       }});
  for (const CacheMetric& metric : kMetrics) {
    prometheus->Add(
        {std::string(metric.name), std::string(metric.help), api::MetricType::kGauge,
         [cache, value = metric.value] { return static_cast<double>(value(cache->counters())); }});
  }
}

}  // namespace pt::server
