#include "api/sagemaker_models.h"

#include <utility>

#include "api/repository_calls.h"
#include "api/rest_reply.h"
#include "wire/json_reader.h"
#include "wire/json_writer.h"

namespace pt::api {
namespace {

constexpr std::string_view kModels = "/models";
constexpr std::string_view kInvoke = "/invoke";
constexpr std::string_view kNotExplicit =
    "repository registration is not allowed if model control mode is not EXPLICIT";

struct Named {
  std::string name;
  std::string url;
};

Result<Named> ReadLoad(std::string_view body, int max_depth) {
  wire::JsonDocument document(max_depth);
  PT_RETURN_IF_ERROR(document.Parse(body));
  if (!document.root().is_object()) {
    return document.root().ErrorHere("attempt to access JSON non-object as object");
  }
  Named named;
  for (const auto& [key, to] :
       {std::pair<std::string_view, std::string*>{"model_name", &named.name},
        {"url", &named.url}}) {
    const wire::JsonValue value = document.root().Find(key);
    if (!value) {
      return InvalidArgument("Unable to parse '" + std::string(key) +
                             "': attempt to access non-existing object member '" +
                             std::string(key) + "'");
    }
    const Result<std::string_view> text = value.AsString();
    if (!text.ok()) return wire::UnableToParse(key, text.status());
    *to = *text;
  }
  return named;
}

void WriteModel(std::string_view name, std::string_view url, wire::JsonWriter* writer) {
  writer->Raw("{\"modelName\":").String(name).Raw(",\"modelUrl\":").String(url).Raw("}");
}

void SendJson(wire::JsonWriter&& writer, HttpReplySink* sink) {
  sink->Send(JsonReply(std::move(writer)));
}

// SageMaker tells a full machine from other faults by its status (507).
int StatusOf(const Status& status) {
  const bool is_full = status.message().find("out of memory") != std::string::npos ||
                       status.message().find("No space left") != std::string::npos;
  return is_full ? 507 : 400;
}

}  // namespace

std::string_view InvokedModel(std::string_view path) {
  if (!path.starts_with(kModels) || !path.ends_with(kInvoke)) return {};
  path.remove_suffix(kInvoke.size());
  path.remove_prefix(kModels.size());
  if (path.size() < 2 || path.front() != '/') return {};
  path.remove_prefix(1);
  return path.find('/') == std::string_view::npos ? path : std::string_view();
}

bool SageMakerModels::Has(std::string_view name) const {
  MutexLock lock(&state_->mu);
  const auto at = state_->urls.find(name);
  return at != state_->urls.end() && !at->second.is_loading;
}

bool SageMakerModels::Handle(const HttpRequestHead& head, const Slice& body,
                             const RefPtr<HttpReplySink>& sink) {
  std::string_view path = head.target.substr(0, head.target.find('?'));
  if (!path.starts_with(kModels)) return false;
  path.remove_prefix(kModels.size());
  const bool is_get = head.method == "GET";
  if (path.empty()) {
    if (!is_get && head.method != "POST") return false;
    is_get ? List(sink.get()) : Load(body, sink);
    return true;
  }
  const bool names_one = path.size() > 1 && path.front() == '/' && path.find('/', 1) == path.npos;
  if (!names_one || (!is_get && head.method != "DELETE")) return false;
  is_get ? Describe(path.substr(1), sink.get()) : Unload(path.substr(1), sink);
  return true;
}

void SageMakerModels::List(HttpReplySink* sink) const {
  wire::JsonWriter writer(nullptr);
  writer.Raw("{\"models\":[");
  {
    MutexLock lock(&state_->mu);
    bool is_first = true;
    for (const auto& [name, place] : state_->urls) {
      if (place.is_loading) continue;
      if (!std::exchange(is_first, false)) writer.Raw(",");
      WriteModel(name, place.url, &writer);
    }
  }
  writer.Raw("]}");
  SendJson(std::move(writer), sink);
}

void SageMakerModels::Describe(std::string_view name, HttpReplySink* sink) const {
  wire::JsonWriter writer(nullptr);
  {
    MutexLock lock(&state_->mu);
    const auto at = state_->urls.find(name);
    if (at != state_->urls.end() && !at->second.is_loading) {
      WriteModel(name, at->second.url, &writer);
    }
  }
  if (writer.size() == 0) return sink->Send(EmptyReply(404, {}));
  SendJson(std::move(writer), sink);
}

void SageMakerModels::Load(const Slice& body, const RefPtr<HttpReplySink>& sink) {
  const auto refuse = [&sink](int status, std::string_view text) {
    sink->Send(ErrorReply(status, text, kPlainType));
  };
  const ServiceOptions& options = service_->options();
  const Result<Named> named = ReadLoad(body.view(), options.max_json_depth);
  if (!named.ok()) return refuse(400, named.status().message());
  const Result<repo::ModelControl*> control = ControlOf(*service_, {});
  if (!control.ok()) return refuse(400, kNotExplicit);
  {
    MutexLock lock(&state_->mu);
    if (!state_->urls.emplace(named->name, Place{named->url, true}).second) {
      return refuse(409, "model '" + named->name + "' has already been registered");
    }
  }
  repo::LoadRequest request;
  request.name = named->name;
  request.directory = named->url;
  request.directory_root = options.cloud.sagemaker_root;
  (*control)->Load(
      std::move(request), [state = state_, name = named->name, sink](const Status& loaded) {
        {
          MutexLock lock(&state->mu);
          if (loaded.ok()) {
            state->urls[name].is_loading = false;
          } else {
            state->urls.erase(name);
          }
        }
        if (loaded.ok()) return sink->Send(EmptyReply(200, {}));
        const bool is_refused = loaded.message().find("not allowed") != std::string::npos;
        sink->Send(
            ErrorReply(StatusOf(loaded), is_refused ? kNotExplicit : loaded.message(), kPlainType));
      });
}

void SageMakerModels::Unload(std::string_view name, const RefPtr<HttpReplySink>& sink) {
  const Result<repo::ModelControl*> control = ControlOf(*service_, {});
  {
    MutexLock lock(&state_->mu);
    const auto at = state_->urls.find(name);
    const bool is_known = at != state_->urls.end() && !at->second.is_loading;
    if (!is_known || !control.ok()) return sink->Send(EmptyReply(404, {}));
    state_->urls.erase(at);
  }
  (*control)->Unload(std::string(name), [sink](const Result<repo::UnloadReport>& report) {
    if (report.ok()) return sink->Send(EmptyReply(200, {}));
    sink->Send(ErrorReply(400, report.status().message(), kPlainType));
  });
}

}  // namespace pt::api
