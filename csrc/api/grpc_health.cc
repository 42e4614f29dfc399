// Health over gRPC: Triton's three methods and the standard service.

#include "api/grpc_control.h"
#include "api/grpc_protobuf.h"
#include "wire/proto/control.pb.h"
#include "wire/proto/health.pb.h"

namespace pt::api {

Status ServerLive(const Service& service, std::string_view request, std::string* response) {
  inference::ServerLiveRequest given;
  PT_RETURN_IF_ERROR(ParseMessage(request, &given));
  inference::ServerLiveResponse answer;
  answer.set_live(service.is_live());
  return WriteMessage(answer, response);
}

Status ServerReady(const Service& service, std::string_view request, std::string* response) {
  inference::ServerReadyRequest given;
  PT_RETURN_IF_ERROR(ParseMessage(request, &given));
  inference::ServerReadyResponse answer;
  answer.set_ready(service.is_ready());
  return WriteMessage(answer, response);
}

Status ModelReady(const Service& service, std::string_view request, std::string* response) {
  inference::ModelReadyRequest given;
  PT_RETURN_IF_ERROR(ParseMessage(request, &given));
  const Result<ModelHandle> model = service.FindModel(given.name(), given.version());
  // An unknown model is an answer; a version that is no number is the client's mistake.
  if (!model.ok() && model.status().code() == Code::kInvalidArgument) return model.status();
  inference::ModelReadyResponse answer;
  answer.set_ready(model.ok() && (*model)->is_healthy() && !service.is_draining());
  return WriteMessage(answer, response);
}

Status HealthCheck(const Service& service, std::string_view request, std::string* response) {
  using grpc::health::v1::HealthCheckResponse;
  grpc::health::v1::HealthCheckRequest given;
  PT_RETURN_IF_ERROR(ParseMessage(request, &given));
  HealthCheckResponse answer;
  answer.set_status(service.is_ready() ? HealthCheckResponse::SERVING
                                       : HealthCheckResponse::NOT_SERVING);
  return WriteMessage(answer, response);
}

}  // namespace pt::api
