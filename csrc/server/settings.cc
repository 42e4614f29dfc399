#include "server/settings.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "server/cache_setup.h"
#include "server/cloud_setup.h"
#include "server/trace_setup.h"

namespace pt::server {
namespace {

// Of each device's pool, where no option says otherwise: as Triton.
constexpr size_t kDevicePoolBytes = size_t{64} << 20;

Duration Seconds(int64_t seconds) {
  return seconds == 0 ? kForever : Duration(std::chrono::seconds(seconds));
}

ConnectionLimits ReadLimits(const OptionValues& options) {
  ConnectionLimits limits;
  limits.max_request_bytes = static_cast<uint64_t>(options.GetInt("max-request-bytes"));
  limits.max_header_bytes = static_cast<size_t>(options.GetInt("max-header-bytes"));
  limits.max_headers = static_cast<size_t>(options.GetInt("max-headers"));
  limits.header_timeout = Seconds(options.GetInt("header-timeout-secs"));
  limits.body_idle_timeout = Seconds(options.GetInt("body-idle-timeout-secs"));
  limits.idle_timeout = Seconds(options.GetInt("idle-timeout-secs"));
  limits.max_connections = options.GetInt("max-connections");
  if (limits.max_connections == 0) limits.max_connections = std::numeric_limits<int64_t>::max();
  limits.max_pipelined = static_cast<size_t>(options.GetInt("max-pipelined-requests"));
  limits.max_http2_streams = static_cast<uint32_t>(options.GetInt("max-http2-streams"));
  return limits;
}

Result<LogOptions> ReadLog(const OptionValues& options) {
  LogOptions log;
  log.verbose_level = static_cast<int>(options.GetInt("log-verbose"));
  log.info = options.GetBool("log-info");
  log.warning = options.GetBool("log-warning");
  log.error = options.GetBool("log-error");
  log.file = options.GetString("log-file");
  const std::string format = options.GetString("log-format");
  if (format == "ISO8601") {
    log.format = LogFormat::kIso8601;
  } else if (format == "json") {
    log.format = LogFormat::kJson;
  } else if (format != "default") {
    return InvalidArgument("invalid argument for --log-format");
  }
  return log;
}

Result<api::ServiceOptions> ReadService(const OptionValues& options) {
  api::ServiceOptions service;
  service.server_id = options.GetString("id");
  service.server_version = PT_VERSION;
  service.strict_readiness = options.GetBool("strict-readiness");
  service.max_body_bytes = static_cast<uint64_t>(options.GetInt("max-request-bytes"));
  service.max_json_bytes = static_cast<uint64_t>(options.GetInt("http-max-input-size"));
  service.max_json_depth = static_cast<int>(options.GetInt("max-json-depth"));
  service.http_header_forward_pattern = options.GetString("http-header-forward-pattern");
  service.grpc_header_forward_pattern = options.GetString("grpc-header-forward-pattern");
  PT_ASSIGN_OR_RETURN(
      service.http_access,
      api::AccessRules::Parse(api::AccessProtocol::kHttp, options.GetList("http-restricted-api")));
  PT_ASSIGN_OR_RETURN(service.grpc_access,
                      api::AccessRules::Parse(api::AccessProtocol::kGrpc,
                                              options.GetList("grpc-restricted-protocol")));
  PT_ASSIGN_OR_RETURN(service.cloud, ReadCloud(options));
  return service;
}

int ReadLoopCount(const OptionValues& options) {
  const int64_t wanted = options.GetInt("loop-threads");
  if (wanted > 0) return static_cast<int>(wanted);
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  return std::clamp(cores / 4, 1, 8);
}

Endpoint TcpEndpoint(const Endpoint& kind, std::string address, int64_t port, bool reuse_port) {
  Endpoint endpoint = kind;
  endpoint.listen.address = std::move(address);
  endpoint.listen.port = static_cast<int>(port);
  endpoint.listen.reuse_port = reuse_port;
  return endpoint;
}

void AddUnix(const Endpoint& kind, std::string path, std::vector<Endpoint>* endpoints) {
  if (path.empty()) return;
  Endpoint endpoint = kind;
  endpoint.listen.unix_path = std::move(path);
  endpoints->push_back(std::move(endpoint));
}

// On Vertex AI's port alone, unless the others are asked for.
bool IsAllowed(const OptionValues& options, std::string_view name) {
  return options.GetBool(name) && (options.IsSet(name) || !IsVertexAi(options));
}

// Asking clients for certificates means TLS, as in Triton.
bool IsMutual(const OptionValues& options) { return options.GetBool("grpc-use-ssl-mutual"); }
bool UsesTls(const OptionValues& options) {
  return options.GetBool("grpc-use-ssl") || IsMutual(options);
}

std::optional<net::TlsFiles> ReadTls(const OptionValues& options) {
  if (!UsesTls(options)) return std::nullopt;
  const auto file = [&options](const char* name) {
    return net::TlsFile{"--" + std::string(name), options.GetString(name)};
  };
  net::TlsFiles files{file("grpc-server-cert"), file("grpc-server-key"), std::nullopt};
  if (IsMutual(options)) files.client_roots = file("grpc-root-cert");
  return files;
}

Status CheckTls(const OptionValues& options) {
  if (!UsesTls(options)) return {};
  const auto lacks = [&options](const char* name) { return options.GetString(name).empty(); };
  const std::string asked = IsMutual(options) ? "--grpc-use-ssl-mutual" : "--grpc-use-ssl";
  for (const char* const name : {"grpc-server-cert", "grpc-server-key"}) {
    if (lacks(name))
      return InvalidArgument("expected --" + std::string(name) + " with " + asked + ", got none");
  }
  if (!IsMutual(options) || !lacks("grpc-root-cert")) return {};
  return InvalidArgument("expected --grpc-root-cert with " + asked + ", got none");
}

std::vector<Endpoint> ReadEndpoints(const OptionValues& options) {
  std::vector<Endpoint> endpoints;
  const std::string http_address = options.GetString("http-address");
  if (IsAllowed(options, "allow-grpc")) {
    const Endpoint kind{api::PortRole::kGrpc, "GRPC", "GRPCInferenceService", {}, ReadTls(options)};
    endpoints.push_back(TcpEndpoint(kind, options.GetString("grpc-address"),
                                    options.GetInt("grpc-port"),
                                    options.GetBool("reuse-grpc-port")));
  }
  AddUnix({api::PortRole::kGrpc, "GRPC", "GRPCInferenceService", {}},
          options.GetString("grpc-unix-socket"), &endpoints);
  if (IsAllowed(options, "allow-http")) {
    const Endpoint kind{api::PortRole::kHttp, "HTTP", "HTTPService", {}};
    endpoints.push_back(TcpEndpoint(kind, http_address, options.GetInt("http-port"),
                                    options.GetBool("reuse-http-port")));
  }
  AddUnix({api::PortRole::kHttp, "HTTP", "HTTPService", {}}, options.GetString("http-unix-socket"),
          &endpoints);
  if (options.GetBool("allow-sagemaker")) {
    const Endpoint kind{api::PortRole::kSageMaker, "Sagemaker", "Sagemaker HTTPService", {}};
    endpoints.push_back(TcpEndpoint(kind, http_address, options.GetInt("sagemaker-port"), false));
  }
  if (IsVertexAi(options)) {
    const Endpoint kind{api::PortRole::kVertexAi, "Vertex AI", "Vertex AI HTTPService", {}};
    endpoints.push_back(TcpEndpoint(kind, http_address, VertexAiPort(options), false));
  }
  if (options.GetBool("allow-metrics")) {
    const Endpoint kind{api::PortRole::kMetrics, "Metrics", "Metrics Service", {}};
    const std::string own = options.GetString("metrics-address");
    endpoints.push_back(
        TcpEndpoint(kind, own.empty() ? http_address : own, options.GetInt("metrics-port"), false));
  }
  return endpoints;
}

// In the words of spec/triton-frontend 4.2.
Status CheckCollision(const Endpoint& a, const Endpoint& b) {
  const net::ListenOptions& listen = a.listen;
  const bool is_same_path = !listen.unix_path.empty() && listen.unix_path == b.listen.unix_path;
  const bool is_same_port = listen.unix_path.empty() && b.listen.unix_path.empty() &&
                            listen.port != 0 && listen.port == b.listen.port &&
                            listen.address == b.listen.address;
  if (!is_same_path && !is_same_port) return {};
  // Triton names HTTP before gRPC before metrics, whatever is opened first.
  const bool is_swapped = b.role < a.role;
  const Endpoint& first = is_swapped ? b : a;
  const Endpoint& second = is_swapped ? a : b;
  const std::string_view second_kind = second.kind == "Metrics" ? "metrics" : second.kind;
  return InvalidArgument(
      "The server cannot listen to " + std::string(first.kind) + " requests and " +
      std::string(second_kind) + " requests at the same address and port " +
      (is_same_path ? listen.unix_path : listen.address + ":" + std::to_string(listen.port)));
}

Status CheckCollisions(const std::vector<Endpoint>& endpoints) {
  for (size_t i = 0; i < endpoints.size(); ++i) {
    for (size_t k = i + 1; k < endpoints.size(); ++k) {
      PT_RETURN_IF_ERROR(CheckCollision(endpoints[i], endpoints[k]));
    }
  }
  return {};
}

// One "GPU:BYTES" of a list, in Triton's words where it is none.
Status ReadDevicePool(const std::string& text, std::map<int, size_t>* pools) {
  const size_t colon = text.find(':');
  if (colon == std::string::npos) {
    return InvalidArgument(
        "Bad option: \"--cuda-memory-pool-byte-size\".\nCannot parse pair option due to incorrect "
        "number of inputs.--<pair option> argument requires format <first>:<second>. Found: " +
        text);
  }
  int device = 0;
  uint64_t bytes = 0;
  for (const bool is_bytes : {false, true}) {
    const std::string part = is_bytes ? text.substr(colon + 1) : text.substr(0, colon);
    const char* const end = part.data() + part.size();
    const auto read = is_bytes ? std::from_chars(part.data(), end, bytes)
                               : std::from_chars(part.data(), end, device);
    if (read.ec == std::errc() && read.ptr == end && device >= 0) continue;
    return InvalidArgument(
        "Bad option: \"--cuda-memory-pool-byte-size\".\nInvalid option value. Got " + part);
  }
  (*pools)[device] = bytes;
  return {};
}

Result<CudaOptions> ReadCuda(const OptionValues& options) {
  CudaOptions cuda;
  cuda.pinned_bytes =
      static_cast<size_t>(std::max<int64_t>(0, options.GetInt("pinned-memory-pool-byte-size")));
  cuda.device_bytes = kDevicePoolBytes;
  for (const std::string& text : options.GetList("cuda-memory-pool-byte-size")) {
    PT_RETURN_IF_ERROR(ReadDevicePool(text, &cuda.device_bytes_of));
  }
  return cuda;
}

bool IsLocal(const Endpoint& endpoint) {
  const std::string& address = endpoint.listen.address;
  return !endpoint.listen.unix_path.empty() || address == "localhost" || address == "::1" ||
         address.substr(0, 4) == "127.";
}

// Who names a key reads and writes memory of this machine: nobody from elsewhere, unless told so.
bool ReadAllowsClientMemory(const OptionValues& options, const std::vector<Endpoint>& endpoints) {
  const std::string wanted = options.GetString("allow-client-shm");
  if (wanted != "auto") return wanted == "true";
  return std::all_of(endpoints.begin(), endpoints.end(), IsLocal);
}

}  // namespace

Result<Settings> ReadSettings(const OptionValues& options) {
  Settings settings;
  PT_RETURN_IF_ERROR(CheckTls(options));
  settings.endpoints = ReadEndpoints(options);
  PT_RETURN_IF_ERROR(CheckCollisions(settings.endpoints));
  PT_ASSIGN_OR_RETURN(settings.log, ReadLog(options));
  PT_ASSIGN_OR_RETURN(settings.trace, ReadTrace(options));
  settings.loop_count = ReadLoopCount(options);
  settings.exit_timeout =
      std::chrono::seconds(std::max<int64_t>(0, options.GetInt("exit-timeout-secs")));
  settings.max_inflight_bytes = static_cast<uint64_t>(options.GetInt("max-inflight-bytes"));
  if (settings.max_inflight_bytes == 0) {
    settings.max_inflight_bytes = std::numeric_limits<uint64_t>::max() / 2;
  }
  PT_ASSIGN_OR_RETURN(settings.cache_bytes, ReadCacheBytes(options));
  settings.limits = ReadLimits(options);
  PT_ASSIGN_OR_RETURN(settings.service, ReadService(options));
  settings.allows_client_memory = ReadAllowsClientMemory(options, settings.endpoints);
  PT_ASSIGN_OR_RETURN(settings.cuda, ReadCuda(options));
  settings.host_metrics =
      options.GetBool("allow-cpu-metrics") ? api::HostMetrics::kOn : api::HostMetrics::kOff;
  PT_ASSIGN_OR_RETURN(settings.repositories, ReadRepositories(options));
  PT_ASSIGN_OR_RETURN(settings.workers, ReadWorkers(options));
  settings.exit_on_error = options.GetBool("exit-on-error");
  return settings;
}

}  // namespace pt::server
