#include "api/worker_calls.h"

#include <array>
#include <utility>
#include <vector>

#include "api/inner_call.h"
#include "api/repository_calls.h"
#include "wire/json_reader.h"
#include "wire/json_writer.h"

namespace pt::api {
namespace {

using wire::JsonValue;

constexpr int kMaxDepth = 16;

struct Context {
  uint64_t worker = 0;
  const repo::Repository* repository = nullptr;
  const ModelHooks* hooks = nullptr;
  CustomMetrics* metrics = nullptr;
};

Result<JsonValue> Require(JsonValue root, std::string_view key) {
  const JsonValue value = root.Find(key);
  if (!value) return InvalidArgument("expected a member '" + std::string(key) + "' in a call");
  return value;
}

Result<std::string> StringOf(JsonValue root, std::string_view key) {
  PT_ASSIGN_OR_RETURN(const JsonValue value, Require(root, key));
  PT_ASSIGN_OR_RETURN(const std::string_view text, value.AsString());
  return std::string(text);
}

Result<uint64_t> NumberOf(JsonValue root, std::string_view key) {
  PT_ASSIGN_OR_RETURN(const JsonValue value, Require(root, key));
  return value.AsUint64();
}

std::string NumberReply(std::string_view key, uint64_t number) {
  return "{\"" + std::string(key) + "\":" + std::to_string(number) + "}";
}

// --- Models.

void LoadModel(const Context& context, JsonValue root, CallFiles files, CallReply reply) {
  const Result<std::string> name = StringOf(root, "name");
  if (!name.ok()) return reply(name.status());
  const Result<std::string> config = StringOf(root, "config");
  if (!config.ok()) return reply(config.status());
  if (!context.hooks->load) {
    return reply(Unavailable("explicit model load / unload is not allowed if polling is enabled"));
  }
  std::map<std::string, std::string> by_path;
  for (auto& [path, bytes] : files) {
    if (config->empty() || path.substr(0, kFileParameter.size()) != kFileParameter) {
      return reply(InvalidArgument("failed to load model '" + *name +
                                   "', files should be a dictionary of file paths and file "
                                   "contents"));
    }
    by_path[path.substr(kFileParameter.size())] = std::move(bytes);
  }
  std::optional<std::string> replaced;
  if (!config->empty()) replaced = *config;
  context.hooks->load(*name, std::move(replaced), std::move(by_path),
                      [reply = std::move(reply)](const Status& status) {
                        status.ok() ? reply(std::string("{}")) : reply(status);
                      });
}

void UnloadModel(const Context& context, JsonValue root, const CallReply& reply) {
  const Result<std::string> name = StringOf(root, "name");
  if (!name.ok()) return reply(name.status());
  if (!context.hooks->unload) {
    return reply(Unavailable("explicit model load / unload is not allowed if polling is enabled"));
  }
  // A model may unload itself: waiting for its end would be waiting for this answer.
  context.hooks->unload(*name, [](const Status&) {});
  reply(std::string("{}"));
}

Result<std::string> IsModelReady(const Context& context, JsonValue root) {
  PT_ASSIGN_OR_RETURN(const std::string name, StringOf(root, "name"));
  PT_ASSIGN_OR_RETURN(const std::string version, StringOf(root, "version"));
  const Result<ModelHandle> model = context.repository->router().Find(name, version);
  if (!model.ok() && model.status().code() == Code::kInvalidArgument) return model.status();
  return std::string(model.ok() ? R"({"ready":true})" : R"({"ready":false})");
}

// --- Metrics.

Result<std::string> OpenFamily(const Context& context, JsonValue root) {
  PT_ASSIGN_OR_RETURN(const std::string name, StringOf(root, "name"));
  PT_ASSIGN_OR_RETURN(const std::string help, StringOf(root, "description"));
  PT_ASSIGN_OR_RETURN(const uint64_t kind, NumberOf(root, "kind"));
  if (kind > 2) return InvalidArgument("expected a kind from 0 to 2, got " + std::to_string(kind));
  PT_ASSIGN_OR_RETURN(
      const uint64_t family,
      context.metrics->OpenFamily(context.worker, name, help, static_cast<CustomMetricKind>(kind)));
  return NumberReply("family", family);
}

Result<std::string> OpenSeries(const Context& context, JsonValue root) {
  PT_ASSIGN_OR_RETURN(const uint64_t family, NumberOf(root, "family"));
  MetricLabels labels;
  PT_ASSIGN_OR_RETURN(const JsonValue given_labels, Require(root, "labels"));
  for (const wire::JsonMember label : given_labels.members()) {
    PT_ASSIGN_OR_RETURN(const std::string_view value, label.value.AsString());
    labels[std::string(label.key)] = value;
  }
  std::vector<double> bounds;
  PT_ASSIGN_OR_RETURN(const JsonValue given_bounds, Require(root, "buckets"));
  for (const JsonValue bound : given_bounds.elements()) {
    PT_ASSIGN_OR_RETURN(bounds.emplace_back(), bound.AsDouble());
  }
  PT_ASSIGN_OR_RETURN(
      const uint64_t series,
      context.metrics->OpenSeries(context.worker, family, std::move(labels), std::move(bounds)));
  return NumberReply("metric", series);
}

Result<std::string> ReadValue(const Context& context, JsonValue root) {
  PT_ASSIGN_OR_RETURN(const uint64_t series, NumberOf(root, "metric"));
  PT_ASSIGN_OR_RETURN(const double value, context.metrics->Value(context.worker, series));
  std::array<char, wire::kMaxJsonDouble> text;
  char* const end = wire::WriteJsonDouble(value, text.data());
  return "{\"value\":" + std::string(text.data(), end) + "}";
}

Result<std::string> Drop(const Context& context, JsonValue root) {
  if (root.Find("metric")) {
    PT_ASSIGN_OR_RETURN(const uint64_t id, NumberOf(root, "metric"));
    context.metrics->CloseSeries(context.worker, id);
  } else {
    PT_ASSIGN_OR_RETURN(const uint64_t id, NumberOf(root, "family"));
    context.metrics->CloseFamily(context.worker, id);
  }
  return std::string("{}");
}

struct Row {
  std::string_view kind;
  Result<std::string> (*answer)(const Context& context, JsonValue root);
};

constexpr Row kRows[] = {
    {"is_model_ready", IsModelReady}, {"metric_family", OpenFamily}, {"metric", OpenSeries},
    {"metric_value", ReadValue},      {"metric_drop", Drop},
};

}  // namespace

uint64_t WorkerCalls::OpenWorker(const std::string&) {
  return next_worker_.fetch_add(1, std::memory_order_relaxed);
}

void WorkerCalls::CloseWorker(uint64_t worker) { metrics_.CloseOwner(worker); }

void WorkerCalls::Call(uint64_t worker, const std::string& kind, std::string_view json,
                       CallFiles files, CallReply reply) {
  wire::JsonDocument document(kMaxDepth);
  const Status parsed = document.Parse(json);
  if (!parsed.ok()) return reply(parsed);
  const JsonValue root = document.root();
  if (!root.is_object()) return reply(InvalidArgument("expected a JSON object in a call"));
  const Context context{worker, repository_, &hooks_, &metrics_};
  if (kind == "load_model") {
    return LoadModel(context, root, std::move(files), std::move(reply));
  }
  if (kind == "unload_model") return UnloadModel(context, root, reply);
  for (const Row& row : kRows) {
    if (row.kind == kind) return reply(row.answer(context, root));
  }
  reply(Unsupported("expected a call that this server knows, got '" + kind + "'"));
}

void WorkerCalls::UpdateMetrics(uint64_t worker, std::span<const MetricUpdate> updates) {
  for (const MetricUpdate& update : updates) {
    metrics_.Apply(worker, update.series,
                   {update.is_set, update.value, update.bucket_counts, update.sum});
  }
}

RefPtr<Responder> WorkerCalls::Infer(InnerRequest&& request, InnerSink sink) {
  return StartInnerCall(*repository_, tracer_, std::move(request), std::move(sink));
}

}  // namespace pt::api
