// Log settings over gRPC.

#include <algorithm>
#include <limits>

#include "api/grpc_control.h"
#include "api/grpc_protobuf.h"
#include "api/names.h"
#include "wire/proto/control.pb.h"

namespace pt::api {
namespace {

using LogValue = inference::LogSettingsRequest::SettingValue;

Status ReadFlag(const std::string& name, const LogValue& value, bool* flag) {
  if (value.parameter_choice_case() != LogValue::kBoolParam) {
    return InvalidArgument("expect boolean for '" + name + "'");
  }
  *flag = value.bool_param();
  return {};
}

Status ReadLevel(const std::string& name, const LogValue& value, int* level) {
  if (value.parameter_choice_case() != LogValue::kUint32Param) {
    return InvalidArgument("expect int32 for '" + name + "'");
  }
  constexpr uint32_t kMax = std::numeric_limits<int>::max();
  *level = static_cast<int>(std::min(value.uint32_param(), kMax));
  return {};
}

Status ReadFormat(const std::string& name, const LogValue& value, LogFormat* format) {
  if (value.parameter_choice_case() != LogValue::kStringParam) {
    return InvalidArgument("expect string for '" + name + "'");
  }
  const std::optional<LogFormat> known = ParseLogFormat(value.string_param());
  if (!known) {
    return InvalidArgument("invalid argument for log_format, got: " + value.string_param());
  }
  *format = *known;
  return {};
}

// Unknown settings are ignored, as over HTTP.
Status ReadSetting(const std::string& name, const LogValue& value, LogOptions* options) {
  if (name == "log_file") {
    return Unsupported("log file location can not be updated through network protocol");
  }
  if (name == "log_info") return ReadFlag(name, value, &options->info);
  if (name == "log_warning") return ReadFlag(name, value, &options->warning);
  if (name == "log_error") return ReadFlag(name, value, &options->error);
  if (name == "log_verbose_level") return ReadLevel(name, value, &options->verbose_level);
  if (name == "log_format") return ReadFormat(name, value, &options->format);
  return {};
}

void FillSettings(const LogOptions& options, inference::LogSettingsResponse* answer) {
  auto& settings = *answer->mutable_settings();
  settings["log_file"].set_string_param(options.file);
  settings["log_info"].set_bool_param(options.info);
  settings["log_warning"].set_bool_param(options.warning);
  settings["log_error"].set_bool_param(options.error);
  settings["log_verbose_level"].set_uint32_param(static_cast<uint32_t>(options.verbose_level));
  settings["log_format"].set_string_param(std::string(LogFormatName(options.format)));
}

}  // namespace

Status LogSettings(const Service& service, std::string_view request, std::string* response) {
  inference::LogSettingsRequest given;
  PT_RETURN_IF_ERROR(ParseMessage(request, &given));
  Logger* logger = service.logger();
  LogOptions options = logger == nullptr ? LogOptions() : logger->options();
  for (const auto& [name, value] : given.settings()) {
    PT_RETURN_IF_ERROR(ReadSetting(name, value, &options));
  }
  if (logger != nullptr && !given.settings().empty()) logger->Update(options);
  inference::LogSettingsResponse answer;
  FillSettings(options, &answer);
  return WriteMessage(answer, response);
}

}  // namespace pt::api
