// GET .../stats (spec/triton-frontend 7).

#include <utility>

#include "api/rest_handlers.h"
#include "api/rest_reply.h"
#include "infer/stats.h"
#include "wire/json_writer.h"

namespace pt::api {
namespace {

using wire::JsonWriter;

constexpr size_t kStatisticsRoom = 4096;

void WriteDuration(std::string_view key, const DurationStat& stat, JsonWriter* writer) {
  writer->Key(key).Raw("{\"count\":").Integer(stat.count);
  writer->Raw(",\"ns\":").Integer(stat.ns).Raw("}");
}

void WriteInferenceStats(const StatsSnapshot& stats, JsonWriter* writer) {
  const std::pair<std::string_view, const DurationStat*> kRows[] = {
      {"success", &stats.success},
      {"fail", &stats.fail},
      {"queue", &stats.queue},
      {"compute_input", &stats.compute_input},
      {"compute_infer", &stats.compute_infer},
      {"compute_output", &stats.compute_output},
      {"cache_hit", &stats.cache_hit},
      {"cache_miss", &stats.cache_miss},
  };
  bool is_first = true;
  for (const auto& [key, stat] : kRows) {
    if (!is_first) writer->Raw(",");
    is_first = false;
    WriteDuration(key, *stat, writer);
  }
}

void WriteBatchStats(const StatsSnapshot& stats, JsonWriter* writer) {
  bool is_first = true;
  for (const auto& [size, batch] : stats.batches) {
    writer->Raw(is_first ? "{\"batch_size\":" : ",{\"batch_size\":").Integer(size).Raw(",");
    is_first = false;
    WriteDuration("compute_input", batch.compute_input, writer);
    writer->Raw(",");
    WriteDuration("compute_infer", batch.compute_infer, writer);
    writer->Raw(",");
    WriteDuration("compute_output", batch.compute_output, writer);
    writer->Raw("}");
  }
}

void WriteModel(const Model& model, JsonWriter* writer) {
  const StatsSnapshot stats = model.stats().Snapshot();
  writer->Raw("{\"name\":").String(model.name());
  writer->Raw(",\"version\":").String(model.version_text());
  writer->Raw(",\"last_inference\":").Integer(stats.last_inference_ms);
  writer->Raw(",\"inference_count\":").Integer(stats.inference_count);
  writer->Raw(",\"execution_count\":").Integer(stats.execution_count);
  writer->Raw(",\"inference_stats\":{");
  WriteInferenceStats(stats, writer);
  writer->Raw("},\"response_stats\":{},\"batch_stats\":[");
  WriteBatchStats(stats, writer);
  writer->Raw("],\"memory_usage\":[]}");
}

// What is wrong when a named model has no statistics.
std::string NotAvailable(const RestCall& call) {
  const std::shared_ptr<const repo::RouteTable> table =
      call.service().repository().router().table();
  const std::string quoted = "'" + std::string(call.path.model) + "'";
  if (table->find(call.path.model) == table->end() || call.path.version.empty()) {
    return "requested model " + quoted + " is not available";
  }
  return "requested model version is not available for model " + quoted;
}

}  // namespace

void HandleStatistics(RestCall& call) {
  std::string_view version = call.path.version;
  while (version.size() > 1 && version.front() == '0') version.remove_prefix(1);  // 01 is 1
  JsonWriter writer(call.context.pool, kStatisticsRoom);
  writer.Raw("{\"model_stats\":[");
  bool is_first = true;
  call.service().repository().ForEachReady([&](Model& model) {
    if (!call.path.model.empty() && model.name() != call.path.model) return;
    if (!version.empty() && model.version_text() != version) return;
    if (!is_first) writer.Raw(",");
    is_first = false;
    WriteModel(model, &writer);
  });
  if (is_first && !call.path.model.empty()) {
    return call.sink->Send(ErrorReply(400, NotAvailable(call), kJsonType));
  }
  writer.Raw("]}");
  call.sink->Send(JsonReply(std::move(writer)));
}

}  // namespace pt::api
