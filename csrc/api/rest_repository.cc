// Index, load and unload over REST (spec/triton-frontend 1.7).

#include <utility>

#include "api/names.h"
#include "api/repository_calls.h"
#include "api/rest_handlers.h"
#include "api/rest_reply.h"
#include "wire/base64.h"
#include "wire/json_reader.h"
#include "wire/json_writer.h"

namespace pt::api {
namespace {

using wire::JsonDocument;
using wire::JsonValue;
using wire::JsonWriter;

Result<bool> WantsReadyOnly(RestCall& call) {
  if (call.body.empty()) return false;
  JsonDocument document(call.service().options().max_json_depth);
  PT_RETURN_IF_ERROR(document.Parse(call.body.view()));
  const JsonValue ready = document.root().Find("ready");
  if (!ready) return false;
  Result<bool> flag = ready.AsBool();
  if (!flag.ok()) return ready.ErrorHere("Invalid value for 'ready': expected a boolean");
  return flag;
}

void SendIndex(const std::vector<repo::IndexEntry>& index, BlockPool* pool, HttpReplySink* sink) {
  JsonWriter writer(pool);
  writer.Raw("[");
  bool is_first = true;
  for (const repo::IndexEntry& entry : index) {
    writer.Raw(is_first ? "{\"name\":" : ",{\"name\":").String(entry.name);
    is_first = false;
    if (!entry.version.empty()) writer.Raw(",\"version\":").String(entry.version);
    if (entry.has_state) {
      writer.Raw(",\"state\":\"").Raw(VersionStateName(entry.state)).Raw("\"");
    }
    if (!entry.reason.empty()) writer.Raw(",\"reason\":").String(entry.reason);
    if (!entry.problem.empty()) writer.Raw(",\"problem\":").String(entry.problem);
    writer.Raw("}");
  }
  writer.Raw("]");
  sink->Send(JsonReply(std::move(writer)));
}

Status ReadParameter(const wire::JsonMember& member, uint64_t* uploaded,
                     repo::LoadRequest* request) {
  const bool is_file = member.key.starts_with(kFileParameter);
  if (member.key != "config" && !is_file) return UnknownLoadParameter(member.key);
  const Result<std::string_view> text = member.value.AsString();
  if (!text.ok()) {
    return Internal("attempt to access JSON non-string as string: load parameter '" +
                    std::string(member.key) + "'");
  }
  if (!is_file) {
    request->config = std::string(*text);
    return {};
  }
  Result<std::string> bytes = wire::DecodeBase64(*text);
  if (!bytes.ok()) {
    return InvalidArgument("parameter '" + std::string(member.key) +
                           "': " + bytes.status().message());
  }
  *uploaded += bytes->size();
  if (*uploaded > kMaxUploadBytes) return InvalidArgument("uploaded files exceed 2 GiB");
  request->files[std::string(member.key.substr(kFileParameter.size()))] = std::move(bytes).value();
  return {};
}

// `{"parameters":{"config":"JSON TEXT","file:1/model.py":"BASE64"}}`, or nothing.
Status ReadLoad(RestCall& call, repo::LoadRequest* request) {
  if (call.body.empty()) return {};
  JsonDocument document(call.service().options().max_json_depth);
  PT_RETURN_IF_ERROR(document.Parse(call.body.view()));
  if (!document.root().is_object()) {
    return document.root().ErrorHere("attempt to access JSON non-object as object");
  }
  const JsonValue parameters = document.root().Find("parameters");
  if (!parameters || parameters.is_null()) return {};
  if (!parameters.is_object()) {
    return parameters.ErrorHere("attempt to access JSON non-object as object");
  }
  uint64_t uploaded = 0;
  for (const wire::JsonMember member : parameters.members()) {
    PT_RETURN_IF_ERROR(ReadParameter(member, &uploaded, request));
  }
  return {};
}

// Bad JSON in an unload is no error (as in Triton); a wrong type of its one parameter is.
Status CheckUnload(RestCall& call) {
  if (call.body.empty()) return {};
  JsonDocument document(call.service().options().max_json_depth);
  if (!document.Parse(call.body.view()).ok() || !document.root().is_object()) return {};
  const JsonValue parameters = document.root().Find("parameters");
  if (!parameters || !parameters.is_object()) return {};
  const JsonValue dependents = parameters.Find("unload_dependents");
  if (!dependents || dependents.AsBool().ok()) return {};
  return dependents.ErrorHere("expected a boolean for 'unload_dependents'");
}

}  // namespace

void HandleIndex(RestCall& call) {
  const Result<bool> ready_only = WantsReadyOnly(call);
  if (!ready_only.ok()) return Refuse(call.sink.get(), ready_only.status());
  CollectIndex(
      call.service(), *ready_only,
      [sink = call.sink, pool = call.context.pool](const std::vector<repo::IndexEntry>& index) {
        SendIndex(index, pool, sink.get());
      });
}

void HandleLoad(RestCall& call) {
  const Result<repo::ModelControl*> control = ControlOf(call.service(), call.path.repository);
  if (!control.ok()) return Refuse(call.sink.get(), control.status());
  repo::LoadRequest request;
  request.name = call.path.model;
  const Status status = ReadLoad(call, &request);
  if (!status.ok()) return Refuse(call.sink.get(), status);
  (*control)->Load(std::move(request), [sink = call.sink](const Status& loaded) {
    if (!loaded.ok()) return Refuse(sink.get(), loaded);
    sink->Send(EmptyReply(200, kJsonType));
  });
}

void HandleUnload(RestCall& call) {
  const Result<repo::ModelControl*> control = ControlOf(call.service(), call.path.repository);
  if (!control.ok()) return Refuse(call.sink.get(), control.status());
  const Status status = CheckUnload(call);
  if (!status.ok()) return Refuse(call.sink.get(), status);
  (*control)->Unload(std::string(call.path.model),
                     [sink = call.sink](const Result<repo::UnloadReport>& report) {
                       if (!report.ok()) return Refuse(sink.get(), report.status());
                       HttpReply reply = EmptyReply(200, kJsonType);
                       reply.more_headers.emplace_back("Resident-Bytes-Before",
                                                       std::to_string(report->resident_before));
                       if (report->is_gone) {
                         reply.more_headers.emplace_back("Resident-Bytes-After",
                                                         std::to_string(report->resident_after));
                       }
                       sink->Send(std::move(reply));
                     });
}

}  // namespace pt::api
