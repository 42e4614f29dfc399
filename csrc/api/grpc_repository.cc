// Index, load and unload over gRPC.

#include <utility>

#include "api/grpc_control.h"
#include "api/grpc_protobuf.h"
#include "api/names.h"
#include "api/repository_calls.h"
#include "wire/proto/control.pb.h"

namespace pt::api {
namespace {

using Parameter = inference::ModelRepositoryParameter;

// Answers with a message, or with why it can't be written.
template <typename Message>
void Answer(const Message& message, const LaterDone& done) {
  std::string bytes;
  const Status status = WriteMessage(message, &bytes);
  done(status, std::move(bytes));
}

Status ReadParameter(const std::string& name, const Parameter& parameter,
                     repo::LoadRequest* request) {
  if (name == "config") {
    if (parameter.parameter_choice_case() != Parameter::kStringParam) {
      return InvalidArgument(
          "invalid value type for load parameter 'config', expected string_param.");
    }
    request->config = parameter.string_param();
    return {};
  }
  if (!name.starts_with(kFileParameter)) return UnknownLoadParameter(name);
  if (parameter.parameter_choice_case() != Parameter::kBytesParam) {
    return InvalidArgument("invalid value type for load parameter '" + name +
                           "', expected bytes_param.");
  }
  request->files[name.substr(kFileParameter.size())] = parameter.bytes_param();
  return {};
}

Status ReadLoad(const inference::RepositoryModelLoadRequest& given, repo::LoadRequest* request) {
  request->name = given.model_name();
  for (const auto& [name, parameter] : given.parameters()) {
    PT_RETURN_IF_ERROR(ReadParameter(name, parameter, request));
  }
  return {};
}

Status CheckUnload(const inference::RepositoryModelUnloadRequest& given) {
  const auto at = given.parameters().find("unload_dependents");
  if (at == given.parameters().end()) return {};
  if (at->second.parameter_choice_case() == Parameter::kBoolParam) return {};
  return InvalidArgument(
      "invalid value type for unload parameter 'unload_dependents', expected bool_param.");
}

}  // namespace

void RepositoryIndex(const Service& service, std::string_view request, LaterDone done) {
  inference::RepositoryIndexRequest given;
  const Status status = ParseMessage(request, &given);
  if (!status.ok()) return done(status, {});
  if (!given.repository_name().empty()) {
    return done(Unsupported("'repository_name' specification is not supported"), {});
  }
  CollectIndex(service, given.ready(),
               [done = std::move(done)](const std::vector<repo::IndexEntry>& index) {
                 inference::RepositoryIndexResponse answer;
                 for (const repo::IndexEntry& entry : index) {
                   auto* model = answer.add_models();
                   model->set_name(entry.name);
                   model->set_version(entry.version);
                   if (entry.has_state) {
                     model->set_state(std::string(VersionStateName(entry.state)));
                   }
                   model->set_reason(entry.reason);
                   model->set_problem(entry.problem);
                 }
                 Answer(answer, done);
               });
}

void RepositoryLoad(const Service& service, std::string_view request, LaterDone done) {
  inference::RepositoryModelLoadRequest given;
  Status status = ParseMessage(request, &given);
  if (!status.ok()) return done(status, {});
  const Result<repo::ModelControl*> control = ControlOf(service, given.repository_name());
  if (!control.ok()) return done(control.status(), {});
  repo::LoadRequest load;
  status = ReadLoad(given, &load);
  if (!status.ok()) return done(status, {});
  (*control)->Load(std::move(load), [done = std::move(done)](const Status& loaded) {
    if (!loaded.ok()) return done(loaded, {});
    Answer(inference::RepositoryModelLoadResponse(), done);
  });
}

void RepositoryUnload(const Service& service, std::string_view request, LaterDone done) {
  inference::RepositoryModelUnloadRequest given;
  Status status = ParseMessage(request, &given);
  if (!status.ok()) return done(status, {});
  const Result<repo::ModelControl*> control = ControlOf(service, given.repository_name());
  if (!control.ok()) return done(control.status(), {});
  status = CheckUnload(given);
  if (!status.ok()) return done(status, {});
  (*control)->Unload(given.model_name(),
                     [done = std::move(done)](const Result<repo::UnloadReport>& report) {
                       if (!report.ok()) return done(report.status(), {});
                       inference::RepositoryModelUnloadResponse answer;
                       answer.set_resident_bytes_before(report->resident_before);
                       answer.set_resident_bytes_after(report->resident_after);
                       Answer(answer, done);
                     });
}

}  // namespace pt::api
