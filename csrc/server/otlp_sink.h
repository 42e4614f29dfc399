// OtlpSink: sends traces to an OpenTelemetry collector over OTLP/HTTP, as JSON.
//
// Thread rule: on the drain's thread, which waits for the collector (a few seconds at most).
// Owner rule: owned by the drain.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "api/trace_drain.h"
#include "api/trace_settings.h"
#include "net/http_post.h"

namespace pt::server {

class OtlpSink final : public api::TraceSink {
 public:
  // `tls`: whom it believes; null for a collector without TLS.
  OtlpSink(net::HttpUrl url, std::shared_ptr<const net::TlsContext> tls,
           const api::TraceOptions& options, Logger* logger);

  void Write(std::vector<std::unique_ptr<Trace>> traces) override;

 private:
  Status Send(const std::vector<std::unique_ptr<Trace>>& traces);
  void Report(size_t traces, const std::string& why);

  const net::HttpUrl url_;
  const std::shared_ptr<const net::TlsContext> tls_;
  const std::vector<std::string> resource_;
  const size_t max_traces_;  // a message
  Logger* const logger_;
  bool is_failing_ = false;
};

}  // namespace pt::server
