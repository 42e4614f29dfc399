// Logging settings (spec/triton-frontend 6.4).

#include <limits>
#include <utility>

#include "api/rest_handlers.h"
#include "api/rest_reply.h"
#include "wire/json_reader.h"
#include "wire/json_writer.h"

namespace pt::api {
namespace {

using wire::JsonDocument;
using wire::JsonValue;
using wire::JsonWriter;
using wire::UnableToParse;

std::string_view FormatName(LogFormat format) {
  switch (format) {
    case LogFormat::kIso8601:
      return "ISO8601";
    case LogFormat::kJson:
      return "json";
    case LogFormat::kDefault:
      break;
  }
  return "default";
}

void SendLogging(RestCall& call) {
  const LogOptions options = call.service().logger()->options();
  JsonWriter writer(call.context.pool);
  writer.Raw("{\"log_file\":").String(options.file);
  writer.Raw(",\"log_info\":").Bool(options.info);
  writer.Raw(",\"log_warning\":").Bool(options.warning);
  writer.Raw(",\"log_error\":").Bool(options.error);
  writer.Raw(",\"log_verbose_level\":").Integer(int64_t{options.verbose_level});
  writer.Raw(",\"log_format\":\"").Raw(FormatName(options.format)).Raw("\"}");
  call.sink->Send(JsonReply(std::move(writer)));
}

Status ReadFlag(JsonValue root, std::string_view key, bool* flag) {
  const JsonValue value = root.Find(key);
  if (!value) return {};
  const Result<bool> given = value.AsBool();
  if (!given.ok()) return UnableToParse(key, given.status());
  *flag = *given;
  return {};
}

Status ReadVerboseLevel(JsonValue root, int* level) {
  constexpr std::string_view kKey = "log_verbose_level";
  const JsonValue value = root.Find(kKey);
  if (!value) return {};
  const Result<uint64_t> given = value.AsUint64();
  if (!given.ok()) return UnableToParse(kKey, given.status());
  *level = static_cast<int>(
      std::min<uint64_t>(*given, static_cast<uint64_t>(std::numeric_limits<int>::max())));
  return {};
}

Status ReadFormat(JsonValue root, LogFormat* format) {
  constexpr std::string_view kKey = "log_format";
  const JsonValue value = root.Find(kKey);
  if (!value) return {};
  const Result<std::string_view> given = value.AsString();
  if (!given.ok()) return UnableToParse(kKey, given.status());
  for (const LogFormat known : {LogFormat::kDefault, LogFormat::kIso8601, LogFormat::kJson}) {
    if (*given == FormatName(known)) {
      *format = known;
      return {};
    }
  }
  return Unavailable("invalid argument for --log_format, got: " + std::string(*given));
}

Status ReadLogging(JsonValue root, LogOptions* options) {
  if (!root.is_object()) {
    return root.ErrorHere("attempt to access JSON non-object as object");
  }
  const JsonValue file = root.Find("log_file");
  if (file && !file.is_null()) {
    return Unsupported("log file location can not be updated through network protocol");
  }
  PT_RETURN_IF_ERROR(ReadFlag(root, "log_info", &options->info));
  PT_RETURN_IF_ERROR(ReadFlag(root, "log_warning", &options->warning));
  PT_RETURN_IF_ERROR(ReadFlag(root, "log_error", &options->error));
  PT_RETURN_IF_ERROR(ReadVerboseLevel(root, &options->verbose_level));
  return ReadFormat(root, &options->format);
}

}  // namespace

void HandleLogging(RestCall& call) { SendLogging(call); }

void HandleUpdateLogging(RestCall& call) {
  Logger* logger = call.service().logger();
  JsonDocument document(call.service().options().max_json_depth);
  Status status = document.Parse(call.body.view());
  LogOptions options = logger->options();
  if (status.ok()) status = ReadLogging(document.root(), &options);
  if (!status.ok()) return Refuse(call.sink.get(), status);
  logger->Update(options);
  SendLogging(call);
}

}  // namespace pt::api
