// TraceSettings: what is traced: for all models, and for some otherwise (spec/triton-frontend 6.1).
//
// A model's own settings override single fields; what they leave open follows the global ones, and
// what those leave open is the command line's. Thread rule: thread-safe; is_on is one load.
// Owner rule: owned by the Tracer.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "infer/trace.h"

namespace pt::api {

enum class TraceMode : uint8_t { kTriton, kOpenTelemetry };

struct TraceLevel {
  bool timestamps = false;
  bool tensors = false;
  bool is_off() const { return !timestamps && !tensors; }
};

struct TraceValues {
  TraceLevel level;
  uint32_t rate = 1000;        // every rate-th request; 0: only those that a client traces
  int32_t count = -1;          // traces still to be made; -1: no limit
  uint32_t log_frequency = 0;  // traces a file; 0: all in one
};

// What the command line says.
struct TraceOptions {
  TraceMode mode = TraceMode::kTriton;
  TraceValues values;
  std::string file;  // mode triton; empty: nothing can be traced
  std::string url = "http://localhost:4318/v1/traces";
  std::vector<std::string> resource;  // "service.name=x"
  bool can_export = true;             // false: no collector is reached with this URL
  uint32_t max_queue_spans = 2048;
  uint32_t schedule_delay_ms = 5000;
  uint32_t max_batch_spans = 512;
  std::vector<std::string> warnings;  // of options that are deprecated
};

// One field of an update.
enum class Change : uint8_t { kKeep, kSet, kClear };
template <typename T>
struct Changed {
  Change change = Change::kKeep;
  T value{};
};

struct TraceUpdate {
  Changed<TraceLevel> level;
  Changed<uint32_t> rate;
  Changed<int32_t> count;
  Changed<uint32_t> log_frequency;
};

// The fields of a client's update, from its texts; what both protocols share. Errors:
// InvalidArgument in Triton's words.
Status SetLevels(const std::vector<std::string_view>& names, TraceUpdate* update);
Status SetRate(std::string_view text, TraceUpdate* update);
Status SetCount(std::string_view text, TraceUpdate* update);
Status SetLogFrequency(std::string_view text, TraceUpdate* update);
Status RefuseFile();
std::vector<std::string_view> LevelNames(TraceLevel level);

class TraceSettings {
 public:
  explicit TraceSettings(const TraceOptions& options);

  // Whether any request may be traced.
  bool is_on() const { return is_on_.load(std::memory_order_relaxed); }
  // `model` empty: the global ones.
  TraceValues Get(std::string_view model) const EXCLUDES(mu_);
  // Errors: InvalidArgument when nothing could be traced so.
  Status Update(const std::string& model, const TraceUpdate& update) EXCLUDES(mu_);

  struct Sample {
    TraceLevel level;
    uint32_t log_frequency = 0;
    std::shared_ptr<TraceSeries> series;
  };
  // Counts a request of this model; what its trace is to hold when it is one's turn, or `forced`.
  std::optional<Sample> Take(std::string_view model, bool forced) EXCLUDES(mu_);

 private:
  struct Setting {
    TraceValues values;
    bool has_level = false;  // set here; others follow
    bool has_rate = false;
    bool has_count = false;
    bool has_log_frequency = false;
    uint64_t requests = 0;
    std::shared_ptr<TraceSeries> series = std::make_shared<TraceSeries>();
  };
  using Models = std::map<std::string, Setting, std::less<>>;

  static Setting Merge(const TraceValues& behind, const Setting& now, const TraceUpdate& update);
  Status Check(const TraceValues& values) const;
  Status UpdateModelLocked(const std::string& model, const TraceUpdate& update) REQUIRES(mu_);
  void RefreshLocked() REQUIRES(mu_);

  const TraceValues defaults_;
  const bool has_target_;  // somewhere to write to
  std::atomic<bool> is_on_{false};
  mutable Mutex mu_;
  Setting global_ GUARDED_BY(mu_);
  Models models_ GUARDED_BY(mu_);
};

}  // namespace pt::api
