#include "api/names.h"

namespace pt::api {

std::string_view VersionStateName(repo::VersionState state) {
  switch (state) {
    case repo::VersionState::kLoading:
      return "LOADING";
    case repo::VersionState::kReady:
      return "READY";
    case repo::VersionState::kUnloading:
      return "UNLOADING";
    case repo::VersionState::kUnavailable:
      break;
  }
  return "UNAVAILABLE";
}

std::string_view LogFormatName(LogFormat format) {
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

std::optional<LogFormat> ParseLogFormat(std::string_view name) {
  for (const LogFormat format : {LogFormat::kDefault, LogFormat::kIso8601, LogFormat::kJson}) {
    if (name == LogFormatName(format)) return format;
  }
  return std::nullopt;
}

}  // namespace pt::api
