// The options' rows. One row one line: a table reads best as a table.
#include <array>

#include "base/options.h"

namespace pt {
namespace {

constexpr int64_t kMaxInt = INT32_MAX;
constexpr int64_t kMaxBytes = int64_t{1} << 50;
constexpr int64_t kMaxPort = 65535;
constexpr int64_t kGiB = int64_t{1} << 30;
constexpr auto kActive = OptionSupport::kActive;
constexpr auto kAccepted = OptionSupport::kAcceptedOnly;

// The heading in --help and how far the option works.
struct Under {
  std::string_view group;
  OptionSupport support;
};

constexpr Under kServer{"Server", kActive};
constexpr Under kThreads{"Threads", kActive};
constexpr Under kHttp{"HTTP", kActive};
constexpr Under kGrpc{"gRPC", kActive};
constexpr Under kMetrics{"Metrics", kActive};
constexpr Under kLogging{"Logging", kActive};
constexpr Under kLimits{"Limits", kActive};
constexpr Under kServerLater{"Server", kAccepted};
constexpr Under kGrpcLater{"gRPC", kAccepted};
constexpr Under kMetricsLater{"Metrics", kAccepted};
constexpr Under kRepository{"Model repository", kActive};
constexpr Under kRepositoryLater{"Model repository", kAccepted};
constexpr Under kScheduling{"Scheduling and caching", kAccepted};
constexpr Under kDevices{"Memory and devices", kAccepted};
constexpr Under kMemory{"Memory and devices", kActive};
constexpr Under kTracing{"Tracing", kActive};
constexpr Under kCloud{"Cloud endpoints", kActive};
constexpr Under kCloudLater{"Cloud endpoints", kAccepted};
constexpr Under kDeprecated{"Deprecated", kActive};

struct Range {
  int64_t min;
  int64_t max;
};

constexpr Range kAnyInt{INT32_MIN, kMaxInt};
constexpr Range kCount{0, kMaxInt};
constexpr Range kPorts{0, kMaxPort};

constexpr OptionSpec Bool(std::string_view name, std::string_view value, Under under,
                          std::string_view help) {
  return {name, OptionType::kBool, value, 0, 0, "", under.group, help, under.support};
}

// NOLINTNEXTLINE(readability-function-size): a row of the table, argument by argument
constexpr OptionSpec Int(std::string_view name, std::string_view value, Range range,
                         std::string_view unit, Under under, std::string_view help) {
  return {name, OptionType::kInt, value, range.min,    range.max,
          unit, under.group,      help,  under.support};
}

constexpr OptionSpec Double(std::string_view name, std::string_view value, std::string_view unit,
                            Under under, std::string_view help) {
  return {name, OptionType::kDouble, value, 0, 0, unit, under.group, help, under.support};
}

constexpr OptionSpec Text(std::string_view name, std::string_view value, std::string_view unit,
                          Under under, std::string_view help) {
  return {name, OptionType::kString, value, 0, 0, unit, under.group, help, under.support};
}

constexpr OptionSpec List(std::string_view name, std::string_view unit, Under under,
                          std::string_view help) {
  return {name, OptionType::kStringList, "", 0, 0, unit, under.group, help, under.support};
}

// clang-format off
constexpr auto kTable = std::to_array<OptionSpec>({
    Text("id", "triton", "", kServer, "Name of this server in its metadata"),
    Int("exit-timeout-secs", "30", kAnyInt, "s", kServer, "How long work under way may take to finish at a stop; 0 or less: no waiting"),
    Bool("strict-readiness", "true", kServer, "Ready only while every model is ready; false: as soon as the server answers"),
    Bool("exit-on-error", "true", kServer, "End the start when a model fails to load"),

    Int("loop-threads", "0", {0, 256}, "threads", kThreads, "Event loops; 0: a quarter of the cores, at least 1, at most 8"),
    Int("http-thread-count", "8", kCount, "threads", {"Threads", kAccepted}, "Triton's HTTP threads; loop-threads serves all protocols"),
    Int("buffer-manager-thread-count", "0", kAnyInt, "threads", {"Threads", kAccepted}, "Threads that copy inputs into batches"),

    Bool("allow-http", "true", kHttp, "Serve the HTTP endpoint"),
    Text("http-address", "0.0.0.0", "address", kHttp, "Address of the HTTP endpoint"),
    Int("http-port", "8000", kPorts, "port", kHttp, "Port of the HTTP endpoint; 0: any free one"),
    Bool("reuse-http-port", "false", kHttp, "Share the HTTP port with other processes (SO_REUSEPORT)"),
    Text("http-unix-socket", "", "path", kHttp, "Serve HTTP on this Unix socket too, also without the port"),
    Text("http-header-forward-pattern", "", "regex", kHttp, "Request headers whose names match become request parameters"),
    Int("http-max-input-size", "67108864", {1, kMaxBytes}, "bytes", kHttp, "Largest JSON part of a request, and largest body after decompression"),
    List("http-restricted-api", "APIS:KEY=VALUE", kHttp, "HTTP APIs that need the header KEY with that value; empty: none"),

    Bool("allow-grpc", "true", kGrpc, "Serve the gRPC endpoint"),
    Text("grpc-address", "0.0.0.0", "address", kGrpc, "Address of the gRPC endpoint"),
    Int("grpc-port", "8001", kPorts, "port", kGrpc, "Port of the gRPC endpoint; 0: any free one"),
    Bool("reuse-grpc-port", "false", kGrpc, "Share the gRPC port with other processes (SO_REUSEPORT)"),
    Text("grpc-unix-socket", "", "path", kGrpc, "Serve gRPC on this Unix socket too, also without the port"),
    Text("grpc-header-forward-pattern", "", "regex", kGrpc, "Metadata keys that match become request parameters"),
    Text("grpc-infer-response-compression-level", "none", "none|low|medium|high", kGrpc, "Compression of infer responses, where the client accepts it"),
    Int("grpc-keepalive-time", "7200000", kCount, "ms", kGrpcLater, "Ping a client that was silent this long"),
    Int("grpc-keepalive-timeout", "20000", kCount, "ms", kGrpcLater, "Close a connection whose ping was not answered this long"),
    Bool("grpc-keepalive-permit-without-calls", "false", kGrpcLater, "Ping also while no call is open"),
    Int("grpc-http2-max-pings-without-data", "2", kCount, "pings", kGrpcLater, "Pings sent without any data between them"),
    Int("grpc-http2-min-recv-ping-interval-without-data", "300000", kCount, "ms", kGrpcLater, "Shortest interval between a client's pings without data"),
    Int("grpc-http2-max-ping-strikes", "2", kCount, "pings", kGrpcLater, "Pings too early before the connection is closed"),
    Int("grpc-max-connection-age", "", kCount, "ms", kGrpcLater, "Ask clients to reconnect after this time"),
    Int("grpc-max-connection-age-grace", "", kCount, "ms", kGrpcLater, "Time for open calls after that"),
    Int("grpc-infer-allocation-pool-size", "8", kCount, "", kGrpcLater, "Triton's pool of request objects"),
    Int("grpc-infer-thread-count", "2", {2, 128}, "threads", kGrpcLater, "Triton's gRPC threads; loop-threads serves all protocols"),
    Int("grpc-max-response-pool-size", "2147483647", {1, kMaxInt}, "", kGrpcLater, "Responses kept for a slow stream"),
    List("grpc-restricted-protocol", "APIS:KEY=VALUE", kGrpc, "gRPC protocols that need the metadata KEY with that value; empty: none"),
    Bool("grpc-use-ssl", "false", kGrpc, "Speak TLS (1.2 or newer) on the gRPC port, and nothing else"),
    Bool("grpc-use-ssl-mutual", "false", kGrpc, "The same, and only with clients that have a certificate"),
    Text("grpc-server-cert", "", "path", kGrpc, "The server's certificate and those that lead to its authority (PEM); read again when it changes"),
    Text("grpc-server-key", "", "path", kGrpc, "The private key of that certificate, without a passphrase (PEM); read again when it changes"),
    Text("grpc-root-cert", "", "path", kGrpc, "Authorities that must have signed clients' certificates (PEM); read again when it changes"),

    Bool("allow-metrics", "true", kMetrics, "Serve the metrics endpoint"),
    Text("metrics-address", "", "address", kMetrics, "Address of the metrics endpoint; empty: the HTTP address"),
    Int("metrics-port", "8002", kPorts, "port", kMetrics, "Port of the metrics endpoint; 0: any free one"),
    Bool("allow-gpu-metrics", "true", kMetricsLater, "Metrics of the GPUs"),
    Bool("allow-cpu-metrics", "true", kMetricsLater, "Metrics of the processor and the memory"),
    Double("metrics-interval-ms", "2000", "ms", kMetricsLater, "How often device metrics are read"),
    List("metrics-config", "KEY=VALUE", kMetricsLater, "Kinds of metrics, such as summary_latencies=true"),

    Int("log-verbose", "0", kCount, "level", kLogging, "Verbosity; 0: none, 1: one line per request, more: more"),
    Bool("log-info", "true", kLogging, "Log what happens"),
    Bool("log-warning", "true", kLogging, "Log warnings"),
    Bool("log-error", "true", kLogging, "Log errors"),
    Text("log-format", "default", "default|ISO8601|json", kLogging, "Form of a line; json: one object a line"),
    Text("log-file", "", "path", kLogging, "Write the log to this file; empty: standard error"),

    Int("max-request-bytes", "2147483647", {1, kMaxBytes}, "bytes", kLimits, "Largest request body or gRPC message"),
    Int("max-inflight-bytes", "4294967296", {0, kMaxBytes}, "bytes", kLimits, "Request bodies held at once in all; more are answered 503; 0: unlimited"),
    Int("max-header-bytes", "65536", {1024, kGiB}, "bytes", kLimits, "Largest request head: request line and all headers"),
    Int("max-headers", "2000", {1, 1000000}, "headers", kLimits, "Most headers of one request"),
    Int("max-connections", "10000", kCount, "connections", kLimits, "Most open connections; further ones are closed at once; 0: unlimited"),
    Int("max-pipelined-requests", "128", {1, 1000000}, "requests", kLimits, "Most unanswered HTTP/1.1 requests of one connection; then it is not read"),
    Int("max-http2-streams", "1024", {1, 1000000}, "streams", kLimits, "Most concurrent streams of one HTTP/2 connection"),
    Int("max-json-depth", "100", {1, 1000}, "levels", kLimits, "Deepest nesting of a JSON body"),
    Int("header-timeout-secs", "30", kCount, "s", kLimits, "A request head must be complete after this time; 0: never"),
    Int("body-idle-timeout-secs", "60", kCount, "s", kLimits, "A request body must make progress within this time; 0: never"),
    Int("idle-timeout-secs", "0", kCount, "s", kLimits, "Close a connection without requests after this time; 0: never"),

    List("model-repository", "path", kRepository, "Directory with models"),
    List("model-store", "path", kRepository, "The same as model-repository"),
    Text("model-control-mode", "none", "none|poll|explicit", kRepository, "When models of the repository are loaded"),
    Int("repository-poll-secs", "15", kCount, "s", kRepository, "How often the repository is read in mode poll"),
    Double("repository-settle-secs", "", "s", kRepository, "Mode poll takes a change once it was still this long; unset: 1 s or one poll, whichever is less"),
    List("load-model", "name", kRepository, "Load this model at the start in mode explicit; *: every model"),
    Text("model-config-name", "", "name", kRepository, "Read configs/NAME.pbtxt instead of config.pbtxt"),
    Bool("disable-auto-complete-config", "false", kRepository, "Take configurations as they are written"),
    Int("model-load-thread-count", "0", kCount, "threads", kRepository, "Models loaded at once; 0: twice the cores; loads of over 10 s don't count"),
    Int("model-load-timeout-secs", "900", kCount, "s", kRepository, "A load that takes longer is given up; 0: never"),
    Int("model-unload-timeout-secs", "0", kCount, "s", kRepository, "Requests of an unloaded model that take longer are failed, by ending its workers; 0: never"),
    Int("model-load-retry-count", "0", kCount, "", kRepository, "How often a failed load is tried again"),
    Bool("model-namespacing", "false", kRepository, "Let repositories hold models of the same name"),
    Text("backend-directory", "/opt/tritonserver/backends", "path", kRepository, "Directory with backends"),
    Text("python-executable", "", "path", kRepository, "Interpreter of models' worker processes; empty: python3"),
    Int("worker-templates", "4", {0, 1000}, "processes", kRepository, "Processes at most that fork workers, each for one interpreter and environment; 0: every worker starts an interpreter"),
    Text("repoagent-directory", "/opt/tritonserver/repoagents", "path", kRepositoryLater, "Directory with repository agents"),
    List("backend-config", "[BACKEND,]KEY=VALUE", kRepository, "Setting of one backend or of all"),

    Text("rate-limit", "off", "off|execution_count", kScheduling, "Order in which instances of all models run"),
    List("rate-limit-resource", "NAME:COUNT[:DEVICE]", kScheduling, "How much of a resource there is"),
    List("cache-config", "CACHE,KEY=VALUE", {"Scheduling and caching", kActive}, "The response cache: local,size=BYTES"),
    Text("cache-directory", "/opt/tritonserver/caches", "path", kScheduling, "Directory with response caches"),

    Text("allow-client-shm", "auto", "auto|true|false", kMemory, "Let clients register shared memory; auto: where only this machine can connect"),
    Bool("enable-peer-access", "true", kDevices, "Let GPUs read each other's memory"),
    Int("pinned-memory-pool-byte-size", "268435456", {-kMaxBytes, kMaxBytes}, "bytes", kMemory, "Page-locked host memory for transfers to and from GPUs; made when one is used"),
    List("cuda-memory-pool-byte-size", "GPU:BYTES", kMemory, "Memory pool of a GPU, 64 MiB each; made when its memory is used"),
    List("cuda-virtual-address-size", "GPU:BYTES", kDevices, "Reserved address range of a GPU"),
    Double("min-supported-compute-capability", "6.0", "", kDevices, "Oldest GPUs that are used"),
    List("host-policy", "POLICY,KEY=VALUE", kDevices, "Processors or memory nodes of a policy"),
    List("model-load-gpu-limit", "GPU:FRACTION", kDevices, "Load no model once that much GPU memory is in use"),

    List("trace-config", "[MODE,]KEY=VALUE", kTracing, "Tracing: level, rate, count, mode; triton,file and triton,log-frequency; opentelemetry,url and opentelemetry,resource"),

    Bool("allow-sagemaker", "false", kCloud, "Serve the SageMaker endpoint: the model that SAGEMAKER_TRITON_DEFAULT_MODEL_NAME names"),
    Int("sagemaker-port", "8080", kPorts, "port", kCloud, "Port of the SageMaker endpoint"),
    Text("sagemaker-safe-port-range", "", "FROM-TO", kCloudLater, "Ports that SageMaker allows"),
    Int("sagemaker-thread-count", "8", kCount, "threads", kCloudLater, "Triton's SageMaker threads"),
    Bool("allow-vertex-ai", "false", kCloud, "Serve the Vertex AI endpoint: AIP_HEALTH_ROUTE and AIP_PREDICT_ROUTE; on when AIP_MODE is PREDICTION"),
    Int("vertex-ai-port", "8080", kPorts, "port", kCloud, "Port of the Vertex AI endpoint"),
    Int("vertex-ai-thread-count", "8", kCount, "threads", kCloudLater, "Triton's Vertex AI threads"),
    Text("vertex-ai-default-model", "", "name", kCloud, "Model that Vertex AI requests go to"),

    Bool("strict-model-config", "false", kDeprecated, "Use disable-auto-complete-config"),
    Int("response-cache-byte-size", "0", {0, kMaxBytes}, "bytes", kDeprecated, "Use cache-config=local,size=BYTES"),
    Text("trace-file", "", "path", kDeprecated, "Use trace-config=triton,file=PATH"),
    List("trace-level", "OFF|TIMESTAMPS|TENSORS", kDeprecated, "Use trace-config=level=LEVEL"),
    Int("trace-rate", "1000", kCount, "", kDeprecated, "Use trace-config=rate=N"),
    Int("trace-count", "-1", kAnyInt, "", kDeprecated, "Use trace-config=count=N"),
    Int("trace-log-frequency", "0", kCount, "", kDeprecated, "Use trace-config=triton,log-frequency=N"),
});
// clang-format on

}  // namespace

std::span<const OptionSpec> OptionTable() { return kTable; }

}  // namespace pt
