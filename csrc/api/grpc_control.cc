// Metadata and configuration over gRPC.

#include "api/grpc_control.h"

#include "api/config_proto.h"
#include "api/grpc_protobuf.h"
#include "wire/proto/control.pb.h"

namespace pt::api {
namespace {

using inference::ModelMetadataResponse;

void FillTensor(const TensorSpec& spec, bool has_batch,
                ModelMetadataResponse::TensorMetadata* tensor) {
  tensor->set_name(spec.name);
  tensor->set_datatype(std::string(DataTypeName(spec.type)));
  if (has_batch) tensor->add_shape(-1);
  for (const int64_t dim : spec.dims.dims()) tensor->add_shape(dim);
}

// The ready versions, ascending; only the one that was named if one was.
void FillVersions(const Service& service, const Model& model, bool is_version_named,
                  ModelMetadataResponse* answer) {
  if (is_version_named) {
    answer->add_versions(model.version_text());
    return;
  }
  const auto table = service.repository().router().table();
  const auto named = table->find(model.name());
  if (named == table->end()) return;
  for (const auto& [version, entry] : named->second.versions) {
    if (entry.model != nullptr) answer->add_versions(std::to_string(version));
  }
}

}  // namespace

Status ServerMetadata(const Service& service, std::string_view request, std::string* response) {
  inference::ServerMetadataRequest given;
  PT_RETURN_IF_ERROR(ParseMessage(request, &given));
  inference::ServerMetadataResponse answer;
  answer.set_name(service.options().server_id);
  answer.set_version(service.options().server_version);
  for (const std::string& extension : service.extensions()) answer.add_extensions(extension);
  return WriteMessage(answer, response);
}

Status ModelMetadata(const Service& service, std::string_view request, std::string* response) {
  inference::ModelMetadataRequest given;
  PT_RETURN_IF_ERROR(ParseMessage(request, &given));
  PT_ASSIGN_OR_RETURN(const ModelHandle model, service.FindModel(given.name(), given.version()));
  const ModelConfig& config = model->config();
  ModelMetadataResponse answer;
  answer.set_name(config.name);
  FillVersions(service, *model, !given.version().empty(), &answer);
  answer.set_platform(config.platform.empty() ? config.backend : config.platform);
  const bool has_batch = config.max_batch_size > 0;
  for (const TensorSpec& spec : config.inputs) FillTensor(spec, has_batch, answer.add_inputs());
  for (const TensorSpec& spec : config.outputs) FillTensor(spec, has_batch, answer.add_outputs());
  return WriteMessage(answer, response);
}

Status ModelConfigOf(const Service& service, std::string_view request, std::string* response) {
  inference::ModelConfigRequest given;
  PT_RETURN_IF_ERROR(ParseMessage(request, &given));
  PT_ASSIGN_OR_RETURN(const ModelHandle model, service.FindModel(given.name(), given.version()));
  *response = ModelConfigResponseProto(*model->current_config());
  return {};
}

}  // namespace pt::api
