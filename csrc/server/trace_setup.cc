#include "server/trace_setup.h"

#include <charconv>
#include <cstdlib>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/trace_file.h"
#include "net/http_post.h"
#include "net/tls_credentials.h"
#include "server/otlp_sink.h"

namespace pt::server {
namespace {

using api::TraceMode;
using api::TraceOptions;

constexpr std::string_view kTriton = "triton";
constexpr std::string_view kOpenTelemetry = "opentelemetry";

struct TraceSetting {
  std::string_view mode;  // empty: of all modes
  std::string_view key;
  std::string_view value;
};

Status InvalidMode(std::string_view mode) {
  return InvalidArgument("invalid value for trace mode option: " + std::string(mode) +
                         R"(. Available options are "triton" and "opentelemetry")");
}

Result<TraceSetting> ParseTraceSetting(std::string_view text) {
  const size_t equals = text.find('=');
  const size_t comma = text.substr(0, equals).find(',');
  TraceSetting setting;
  if (comma == 0) {
    return InvalidArgument(
        "No trace mode specified. --trace-config option format is <trace mode>,<setting>=<value> "
        "or <setting>=<value>. Got " +
        std::string(text));
  }
  if (comma != std::string_view::npos) setting.mode = text.substr(0, comma);
  const size_t key = comma == std::string_view::npos ? 0 : comma + 1;
  if (equals == std::string_view::npos || equals == key || equals + 1 == text.size()) {
    return InvalidArgument(
        "--trace-config option format is '<trace mode>,<setting>=<value>'. Got " +
        std::string(text));
  }
  if (!setting.mode.empty() && setting.mode != kTriton && setting.mode != kOpenTelemetry) {
    return InvalidMode(setting.mode);
  }
  setting.key = text.substr(key, equals - key);
  setting.value = text.substr(equals + 1);
  return setting;
}

template <typename T>
Status ReadNumber(std::string_view text, T* value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  if (error == std::errc() && end == text.data() + text.size()) return {};
  return InvalidArgument("Invalid option value. Got " + std::string(text));
}

// OFF does not take back what another option has set, as in Triton.
Status AddLevel(std::string_view text, api::TraceLevel* level) {
  if (text == "TENSORS") {
    level->tensors = true;
  } else if (text == "TIMESTAMPS" || text == "MIN" || text == "MAX") {
    level->timestamps = true;
  } else if (text != "OFF" && text != "false") {
    return InvalidArgument("invalid value for trace level option: " + std::string(text));
  }
  return {};
}

Status ReadCommon(const TraceSetting& setting, TraceOptions* options) {
  if (setting.key == "level") return AddLevel(setting.value, &options->values.level);
  if (setting.key == "rate") return ReadNumber(setting.value, &options->values.rate);
  if (setting.key == "count") return ReadNumber(setting.value, &options->values.count);
  if (setting.key != "mode") return {};  // unknown ones are accepted
  if (setting.value == kTriton) {
    options->mode = TraceMode::kTriton;
  } else if (setting.value == kOpenTelemetry) {
    options->mode = TraceMode::kOpenTelemetry;
  } else {
    return InvalidMode(setting.value);
  }
  return {};
}

Status ReadTriton(const TraceSetting& setting, TraceOptions* options) {
  if (setting.key == "file") options->file = setting.value;
  if (setting.key != "log-frequency") return {};
  return ReadNumber(setting.value, &options->values.log_frequency);
}

Status ReadOpenTelemetry(const TraceSetting& setting, TraceOptions* options) {
  if (setting.key == "url") {
    options->url = setting.value;
  } else if (setting.key == "resource") {
    options->resource.emplace_back(setting.value);
  } else if (setting.key == "bsp_max_queue_size") {
    return ReadNumber(setting.value, &options->max_queue_spans);
  } else if (setting.key == "bsp_schedule_delay") {
    return ReadNumber(setting.value, &options->schedule_delay_ms);
  } else if (setting.key == "bsp_max_export_batch_size") {
    return ReadNumber(setting.value, &options->max_batch_spans);
  }
  return {};
}

Status ReadOne(std::string_view text, TraceOptions* options) {
  PT_ASSIGN_OR_RETURN(const TraceSetting setting, ParseTraceSetting(text));
  if (setting.mode == kTriton) return ReadTriton(setting, options);
  if (setting.mode == kOpenTelemetry) return ReadOpenTelemetry(setting, options);
  return ReadCommon(setting, options);
}

// The deprecated options, and what takes their place.
struct OldOption {
  std::string_view name;
  std::string_view instead;
};
constexpr OldOption kOld[] = {
    {"trace-file", "triton,file=<filepath>"},
    {"trace-level", "level=<OFF|TIMESTAMPS|TENSORS>"},
    {"trace-rate", "rate=<rate value>"},
    {"trace-count", "count=<count value>"},
    {"trace-log-frequency", "triton,log-frequency=<log frequency value>"},
};

Status ReadDeprecated(const OptionValues& given, TraceOptions* options) {
  for (const OldOption& old : kOld) {
    if (!given.IsSet(old.name)) continue;
    const std::string name = "'--" + std::string(old.name) + "'";
    options->warnings.push_back("Warning: " + name +
                                " has been deprecated and will be removed in future releases. "
                                "Please use '--trace-config " +
                                std::string(old.instead) + " instead.");
  }
  if (given.IsSet("trace-file")) options->file = given.GetString("trace-file");
  for (const std::string& level : given.GetList("trace-level")) {
    PT_RETURN_IF_ERROR(AddLevel(level, &options->values.level));
  }
  if (given.IsSet("trace-rate")) {
    options->values.rate = static_cast<uint32_t>(given.GetInt("trace-rate"));
  }
  if (given.IsSet("trace-count")) {
    options->values.count = static_cast<int32_t>(given.GetInt("trace-count"));
  }
  if (given.IsSet("trace-log-frequency")) {
    options->values.log_frequency = static_cast<uint32_t>(given.GetInt("trace-log-frequency"));
  }
  return {};
}

// The file of authorities that OpenTelemetry's exporters are told of; no path: there is none.
net::TlsFile CollectorRoots() {
  for (const char* const name :
       {"OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE"}) {
    const char* const path = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): at start
    if (path != nullptr && *path != '\0') return {name, path};
  }
  return {};
}

Result<std::unique_ptr<api::TraceSink>> MakeOtlpSink(const TraceOptions& options, Logger* logger) {
  PT_ASSIGN_OR_RETURN(net::HttpUrl url, net::HttpUrl::Parse(options.url));
  std::shared_ptr<const net::TlsContext> tls;
  if (url.is_secure) {
    PT_ASSIGN_OR_RETURN(tls, net::LoadTlsTrust(CollectorRoots()));
  }
  return std::unique_ptr<api::TraceSink>(
      std::make_unique<OtlpSink>(std::move(url), std::move(tls), options, logger));
}

}  // namespace

Result<TraceOptions> ReadTrace(const OptionValues& given) {
  TraceOptions options;
  PT_RETURN_IF_ERROR(ReadDeprecated(given, &options));
  for (const std::string& text : given.GetList("trace-config")) {
    PT_RETURN_IF_ERROR(ReadOne(text, &options));
  }
  if (options.values.count < -1) {
    return InvalidArgument("trace count: expected -1 or more, got " +
                           std::to_string(options.values.count));
  }
  if (options.mode != TraceMode::kOpenTelemetry) return options;
  PT_RETURN_IF_ERROR(net::HttpUrl::Parse(options.url).status());
  return options;
}

std::unique_ptr<api::Tracer> MakeTracer(TraceOptions options, Logger* logger) {
  for (const std::string& warning : options.warnings) PT_LOG(logger, kWarning, warning);
  std::unique_ptr<api::TraceSink> sink;
  if (options.mode == TraceMode::kOpenTelemetry) {
    auto made = MakeOtlpSink(options, logger);
    options.can_export = made.ok();
    if (made.ok()) {
      sink = std::move(made).value();
    } else {
      PT_LOG(
          logger, kWarning,
          "the server's own spans are not sent to " + options.url + ": " + made.status().message());
    }
  } else if (!options.file.empty()) {
    sink = std::make_unique<api::TraceFile>(options.file, logger);
  }
  return std::make_unique<api::Tracer>(options, std::move(sink), logger);
}

}  // namespace pt::server
