// Health, metadata and configuration (spec/triton-frontend 1.5, 1.6).

#include <utility>

#include "api/config_proto.h"
#include "api/rest_handlers.h"
#include "api/rest_reply.h"
#include "wire/json_writer.h"

namespace pt::api {
namespace {

using wire::JsonWriter;

constexpr size_t kMetadataRoom = 1024;

void WriteTensor(const TensorSpec& spec, bool has_batch, JsonWriter* writer) {
  writer->Raw("{\"name\":").String(spec.name);
  writer->Raw(",\"datatype\":\"").Raw(DataTypeName(spec.type)).Raw("\",\"shape\":[");
  if (has_batch) writer->Raw(spec.dims.rank() > 0 ? "-1," : "-1");
  for (int axis = 0; axis < spec.dims.rank(); ++axis) {
    if (axis > 0) writer->Raw(",");
    writer->Integer(spec.dims[axis]);
  }
  writer->Raw("]}");
}

void WriteTensors(std::string_view key, const std::vector<TensorSpec>& specs, bool has_batch,
                  JsonWriter* writer) {
  writer->Raw(",").Key(key).Raw("[");
  for (size_t i = 0; i < specs.size(); ++i) {
    if (i > 0) writer->Raw(",");
    WriteTensor(specs[i], has_batch, writer);
  }
  writer->Raw("]");
}

// The ready versions of a model, ascending; only the named one when the path names one.
void WriteVersions(const RestCall& call, const Model& model, JsonWriter* writer) {
  writer->Raw(",\"versions\":[");
  if (!call.path.version.empty()) {
    writer->String(model.version_text()).Raw("]");
    return;
  }
  const std::shared_ptr<const repo::RouteTable> table =
      call.service().repository().router().table();
  const auto named = table->find(model.name());
  bool is_first = true;
  if (named != table->end()) {
    for (const auto& [version, entry] : named->second.versions) {
      if (entry.model == nullptr) continue;
      if (!is_first) writer->Raw(",");
      is_first = false;
      writer->Raw("\"").Integer(version).Raw("\"");
    }
  }
  writer->Raw("]");
}

}  // namespace

void HandleLive(RestCall& call) {
  call.sink->Send(EmptyReply(call.service().is_live() ? 200 : 400, kPlainType));
}

void HandleReady(RestCall& call) {
  call.sink->Send(EmptyReply(call.service().is_ready() ? 200 : 400, kPlainType));
}

void HandleServerMetadata(RestCall& call) {
  const ServiceOptions& options = call.service().options();
  JsonWriter writer(call.context.pool, kMetadataRoom);
  writer.Raw("{\"name\":").String(options.server_id);
  writer.Raw(",\"version\":").String(options.server_version).Raw(",\"extensions\":[");
  bool is_first = true;
  for (const std::string& extension : call.service().extensions()) {
    if (!is_first) writer.Raw(",");
    is_first = false;
    writer.String(extension);
  }
  writer.Raw("]}");
  call.sink->Send(JsonReply(std::move(writer)));
}

void HandleModelMetadata(RestCall& call) {
  const Result<ModelHandle> model = call.service().FindModel(call.path.model, call.path.version);
  if (!model.ok()) return call.sink->Send(ErrorReply(model.status(), kJsonType));
  const ModelConfig& config = model->get()->config();
  const bool has_batch = config.max_batch_size > 0;
  JsonWriter writer(call.context.pool, kMetadataRoom);
  writer.Raw("{\"name\":").String(config.name);
  WriteVersions(call, *model->get(), &writer);
  writer.Raw(",\"platform\":").String(config.platform.empty() ? config.backend : config.platform);
  WriteTensors("inputs", config.inputs, has_batch, &writer);
  WriteTensors("outputs", config.outputs, has_batch, &writer);
  writer.Raw("}");
  call.sink->Send(JsonReply(std::move(writer)));
}

void HandleModelReady(RestCall& call) {
  const Result<ModelHandle> model = call.service().FindModel(call.path.model, call.path.version);
  if (model.ok() && (*model)->is_healthy() && !call.service().is_draining()) {
    return call.sink->Send(EmptyReply(200, kPlainType));
  }
  call.sink->Send(ErrorReply(400, "Model version not ready", kPlainType));
}

void HandleModelConfig(RestCall& call) {
  const Result<ModelHandle> model = call.service().FindModel(call.path.model, call.path.version);
  if (!model.ok()) return call.sink->Send(ErrorReply(model.status(), kJsonType));
  HttpReply reply = EmptyReply(200, kJsonType);
  reply.body.push_back(Slice::OfString(ModelConfigJson(*model->get()->current_config())));
  call.sink->Send(std::move(reply));
}

}  // namespace pt::api
