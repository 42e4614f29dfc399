#include "server/otlp_sink.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

#include "api/otlp_spans.h"

namespace pt::server {
namespace {

constexpr Duration kPatience = std::chrono::seconds(5);
constexpr size_t kSpansATrace = 3;

}  // namespace

OtlpSink::OtlpSink(net::HttpUrl url, std::shared_ptr<const net::TlsContext> tls,
                   const api::TraceOptions& options, Logger* logger)
    : url_(std::move(url)),
      tls_(std::move(tls)),
      resource_(options.resource),
      max_traces_(std::max<size_t>(1, options.max_batch_spans / kSpansATrace)),
      logger_(logger) {}

void OtlpSink::Write(std::vector<std::unique_ptr<Trace>> traces) {
  for (auto next = traces.begin(); next != traces.end();) {
    const auto left = static_cast<size_t>(std::distance(next, traces.end()));
    const auto end = next + static_cast<std::ptrdiff_t>(std::min(left, max_traces_));
    const Status sent = Send({std::make_move_iterator(next), std::make_move_iterator(end)});
    // A collector that is silent costs one wait a round, however much there is to send.
    if (!sent.ok()) return Report(left, sent.message());
    is_failing_ = false;
    next = end;
  }
}

Status OtlpSink::Send(const std::vector<std::unique_ptr<Trace>>& traces) {
  const std::string body = api::SpansToJson(traces, resource_, PT_VERSION);
  PT_ASSIGN_OR_RETURN(const int status,
                      net::HttpPost(url_, "application/json", body,
                                    std::chrono::steady_clock::now() + kPatience, tls_.get()));
  if (status / 100 == 2) return {};
  return Unavailable("it answered " + std::to_string(status));
}

void OtlpSink::Report(size_t traces, const std::string& why) {
  if (std::exchange(is_failing_, true)) return;  // once until it works again
  PT_LOG(logger_, kWarning,
         "failed to send " + std::to_string(traces) +
             " traces to the collector, and goes on dropping them: " + why);
}

}  // namespace pt::server
