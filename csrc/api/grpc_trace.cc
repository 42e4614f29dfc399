// Trace settings over gRPC, and the traces of gRPC requests.

#include "api/grpc_trace.h"

#include <utility>
#include <vector>

#include "api/grpc_control.h"
#include "api/grpc_protobuf.h"
#include "api/trace_context.h"
#include "wire/proto/control.pb.h"

namespace pt::api {
namespace {

using Given = inference::TraceSettingRequest::SettingValue;

// What a setting's values mean: none clear it.
using SetOne = Status (*)(std::string_view text, TraceUpdate* update);

template <typename T>
Status ReadOne(std::string_view name, const Given& given, SetOne set, TraceUpdate* update,
               Changed<T> TraceUpdate::* field) {
  if (given.value().empty()) {
    (update->*field).change = Change::kClear;
    return {};
  }
  if (given.value_size() > 1) {
    return InvalidArgument("expect only 1 value for '" + std::string(name) + "'");
  }
  return set(given.value(0), update);
}

Status ReadLevel(const Given& given, TraceUpdate* update) {
  if (given.value().empty()) {
    update->level.change = Change::kClear;
    return {};
  }
  return SetLevels({given.value().begin(), given.value().end()}, update);
}

Status ReadUpdate(const inference::TraceSettingRequest& request, TraceUpdate* update) {
  const auto& given = request.settings();
  if (given.contains("trace_file")) return RefuseFile();
  for (const auto& [name, value] : given) {
    Status status;
    if (name == "trace_level") {
      status = ReadLevel(value, update);
    } else if (name == "trace_rate") {
      status = ReadOne(name, value, SetRate, update, &TraceUpdate::rate);
    } else if (name == "trace_count") {
      status = ReadOne(name, value, SetCount, update, &TraceUpdate::count);
    } else if (name == "log_frequency") {
      status = ReadOne(name, value, SetLogFrequency, update, &TraceUpdate::log_frequency);
    }
    if (!status.ok()) return status;
  }
  return {};
}

void FillAnswer(Tracer* tracer, const std::string& model, inference::TraceSettingResponse* answer) {
  const TraceOptions& options = tracer->options();
  const TraceValues values = tracer->settings().Get(model);
  auto& settings = *answer->mutable_settings();
  for (const std::string_view level : LevelNames(values.level)) {
    settings["trace_level"].add_value(std::string(level));
  }
  settings["trace_rate"].add_value(std::to_string(values.rate));
  settings["trace_count"].add_value(std::to_string(values.count));
  if (options.mode == TraceMode::kTriton) {
    settings["log_frequency"].add_value(std::to_string(values.log_frequency));
    settings["trace_file"].add_value(options.file);
    settings["trace_mode"].add_value("triton");
    return;
  }
  settings["trace_mode"].add_value("opentelemetry");
  settings["url"].add_value(options.url);
  for (const std::string& pair : options.resource) settings["resource"].add_value(pair);
  settings["bsp_schedule_delay"].add_value(std::to_string(options.schedule_delay_ms));
  settings["bsp_max_export_batch_size"].add_value(std::to_string(options.max_batch_spans));
  settings["bsp_max_queue_size"].add_value(std::to_string(options.max_queue_spans));
}

}  // namespace

Status TraceSetting(const Service& service, std::string_view request, std::string* response) {
  inference::TraceSettingRequest given;
  PT_RETURN_IF_ERROR(ParseMessage(request, &given));
  Tracer* const tracer = service.tracer();
  if (tracer == nullptr) return Unsupported("this server does not trace");
  const std::string& model = given.model_name();
  if (!model.empty() && !service.FindModel(model, {}).ok()) {
    return InvalidArgument("Request for unknown model : " + model);
  }
  if (!given.settings().empty()) {
    TraceUpdate update;
    PT_RETURN_IF_ERROR(ReadUpdate(given, &update));
    PT_RETURN_IF_ERROR(tracer->settings().Update(model, update));
  }
  inference::TraceSettingResponse answer;
  FillAnswer(tracer, model, &answer);
  return WriteMessage(answer, response);
}

std::unique_ptr<const GrpcTraceStart> StartTrace(const GrpcCallInfo& info, TimePoint now,
                                                 const HeaderForwarder& forwarder, bool is_stream) {
  auto start = std::make_unique<GrpcTraceStart>();
  if (!is_stream) start->started = now;
  start->forwarder = &forwarder;
  if (info.head == nullptr) return start;
  start->parent = info.head->Find(kTraceParent);
  start->state = info.head->Find(kTraceState);
  return start;
}

void TraceRequest(Tracer* tracer, const GrpcTraceStart* start, TimePoint now,
                  InferRequest* request) {
  TraceOrigin origin;
  origin.front = TraceFront::kGrpc;
  origin.receive_start = origin.receive_end = now;
  if (start != nullptr) {
    if (start->started != TimePoint()) origin.receive_start = start->started;
    origin.parent = start->parent;
    origin.state = start->state;
    origin.forwarder = start->forwarder;
  }
  tracer->Begin(origin, request);
}

}  // namespace pt::api
