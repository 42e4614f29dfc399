// Trace settings over HTTP (spec/triton-frontend 6.1), and the traces of HTTP requests.

#include <utility>
#include <vector>

#include "api/rest_handlers.h"
#include "api/rest_reply.h"
#include "api/trace_context.h"
#include "api/tracer.h"
#include "wire/json_reader.h"
#include "wire/json_writer.h"

namespace pt::api {
namespace {

using wire::JsonDocument;
using wire::JsonValue;
using wire::JsonWriter;

using SetOne = Status (*)(std::string_view text, TraceUpdate* update);

// null goes back to what is behind this setting.
template <typename T>
Status ReadOne(JsonValue value, SetOne set, TraceUpdate* update, Changed<T> TraceUpdate::* field) {
  if (!value) return {};
  if (value.is_null()) {
    (update->*field).change = Change::kClear;
    return {};
  }
  PT_ASSIGN_OR_RETURN(const std::string_view text, value.AsString());
  return set(text, update);
}

Status ReadLevel(JsonValue value, TraceUpdate* update) {
  if (!value) return {};
  if (value.is_null()) {
    update->level.change = Change::kClear;
    return {};
  }
  if (!value.is_array()) return value.ErrorHere("attempt to access JSON non-array as array");
  std::vector<std::string_view> names;
  for (const JsonValue element : value.elements()) {
    PT_ASSIGN_OR_RETURN(names.emplace_back(), element.AsString());
  }
  return SetLevels(names, update);
}

Status ReadUpdate(JsonValue root, TraceUpdate* update) {
  if (!root.is_object()) return {};  // as Triton: nothing is named in it
  if (root.Find("trace_file")) return RefuseFile();
  PT_RETURN_IF_ERROR(ReadLevel(root.Find("trace_level"), update));
  PT_RETURN_IF_ERROR(ReadOne(root.Find("trace_rate"), SetRate, update, &TraceUpdate::rate));
  PT_RETURN_IF_ERROR(ReadOne(root.Find("trace_count"), SetCount, update, &TraceUpdate::count));
  return ReadOne(root.Find("log_frequency"), SetLogFrequency, update, &TraceUpdate::log_frequency);
}

void WriteOwn(const TraceOptions& options, const TraceValues& values, JsonWriter* writer) {
  if (options.mode == TraceMode::kTriton) {
    writer->Raw(",\"log_frequency\":\"").Integer(uint64_t{values.log_frequency});
    writer->Raw("\",\"trace_file\":").String(options.file);
    writer->Raw(",\"trace_mode\":\"triton\"}");
    return;
  }
  writer->Raw(",\"trace_mode\":\"opentelemetry\",\"url\":").String(options.url);
  std::string resource;
  for (const std::string& pair : options.resource) {
    resource += resource.empty() ? pair : "," + pair;
  }
  if (!resource.empty()) writer->Raw(",\"resource\":").String(resource);
  writer->Raw(",\"bsp_schedule_delay\":\"").Integer(uint64_t{options.schedule_delay_ms});
  writer->Raw("\",\"bsp_max_export_batch_size\":\"").Integer(uint64_t{options.max_batch_spans});
  writer->Raw("\",\"bsp_max_queue_size\":\"").Integer(uint64_t{options.max_queue_spans});
  writer->Raw("\"}");
}

void SendSettings(RestCall& call, Tracer* tracer) {
  const TraceValues values = tracer->settings().Get(call.path.model);
  JsonWriter writer(call.context.pool);
  writer.Raw("{\"trace_level\":[");
  bool is_first = true;
  for (const std::string_view level : LevelNames(values.level)) {
    if (!std::exchange(is_first, false)) writer.Raw(",");
    writer.String(level);
  }
  writer.Raw("],\"trace_rate\":\"").Integer(uint64_t{values.rate});
  writer.Raw("\",\"trace_count\":\"").Integer(int64_t{values.count}).Raw("\"");
  WriteOwn(tracer->options(), values, &writer);
  call.sink->Send(JsonReply(std::move(writer)));
}

// Null: answered.
Tracer* TracerFor(RestCall& call) {
  Tracer* const tracer = call.service().tracer();
  if (tracer == nullptr) {
    Refuse(call.sink.get(), Unsupported("this server does not trace"));
    return nullptr;
  }
  const std::string_view model = call.path.model;
  if (model.empty() || call.service().FindModel(model, {}).ok()) return tracer;
  Refuse(call.sink.get(), InvalidArgument("Request for unknown model : " + std::string(model)));
  return nullptr;
}

}  // namespace

void HandleTraceSetting(RestCall& call) {
  Tracer* const tracer = TracerFor(call);
  if (tracer != nullptr) SendSettings(call, tracer);
}

void HandleUpdateTraceSetting(RestCall& call) {
  Tracer* const tracer = TracerFor(call);
  if (tracer == nullptr) return;
  JsonDocument document(call.service().options().max_json_depth);
  Status status = document.Parse(call.body.view());
  TraceUpdate update;
  if (status.ok()) status = ReadUpdate(document.root(), &update);
  if (status.ok()) status = tracer->settings().Update(std::string(call.path.model), update);
  if (!status.ok()) return Refuse(call.sink.get(), status);
  SendSettings(call, tracer);
}

void TraceRequest(const RestCall& call, InferRequest* request) {
  TraceOrigin origin;
  origin.front = TraceFront::kHttp;
  origin.receive_end = call.context.now;
  const bool is_start_known = call.head.started != TimePoint();
  origin.receive_start = is_start_known ? call.head.started : origin.receive_end;
  origin.parent = call.head.Find(kTraceParent);
  origin.state = call.head.Find(kTraceState);
  origin.forwarder = call.env.forwarder;
  call.service().tracer()->Begin(origin, request);
}

}  // namespace pt::api
