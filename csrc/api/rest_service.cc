#include "api/rest_service.h"

#include <charconv>
#include <utility>

#include "api/cloud_routes.h"
#include "api/rest_headers.h"
#include "api/rest_reply.h"
#include "api/rest_routes.h"

namespace pt::api {
namespace {

constexpr std::string_view kNotAllowed = "Method Not Allowed";
constexpr std::string_view kMetricsType = "text/plain; charset=utf-8";

uint64_t ContentLength(const HttpRequestHead& head) {
  const std::string_view text = head.Find("Content-Length");
  uint64_t length = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  return error == std::errc() ? length : 0;
}

void Reject(int status, std::string_view text, BodyPlan* plan) {
  plan->reject_status = status;
  plan->reject_message = text;
}

}  // namespace

RestService::RestService(Service* service, const Prometheus* prometheus)
    : service_(service),
      prometheus_(prometheus),
      forwarder_(service->options().http_header_forward_pattern, service->logger()),
      heads_(service->options().max_json_depth),
      env_{service, &heads_, &forwarder_, prometheus},
      sagemaker_models_(service) {}

BodyPlan RestService::Plan(const HttpRequestHead& head, PortRole port) const {
  if (IsCloudPort(port)) {
    const CloudCall cloud(*service_, port, head);
    if (cloud.is_known()) return Plan(cloud.head(), PortRole::kHttp);
  }
  BodyPlan plan;
  const ServiceOptions& options = service_->options();
  plan.max_size = options.max_json_bytes;
  if (port != PortRole::kHttp && port != PortRole::kGrpc) return plan;
  RestPath path;
  const RestRoute* route = FindRoute(head.target, &path);
  if (route != nullptr) {
    const std::string refusal = options.http_access.Refusal(route->group, &head);
    if (!refusal.empty()) {
      Reject(403, refusal, &plan);
      return plan;
    }
  }
  const bool has_binary_part = route != nullptr && route->is_infer;
  if (has_binary_part) {
    // A header that can't be read is answered by the handler, with its text.
    const Result<std::optional<int64_t>> length = InferenceHeaderLength(head);
    if (length.ok() && *length && **length > 0) {
      plan.max_size = options.max_body_bytes;
      plan.align_offset = static_cast<uint64_t>(**length);
      return plan;
    }
  }
  const uint64_t announced = ContentLength(head);
  if (announced > options.max_json_bytes) {
    Reject(400,
           "request JSON size of " + std::to_string(announced) +
               " bytes exceeds the maximum allowed input size of " +
               std::to_string(options.max_json_bytes) +
               " bytes. Use --http-max-input-size to increase the limit.",
           &plan);
  }
  return plan;
}

void RestService::Handle(const HttpRequestHead& head, Slice body, PortRole port,
                         const CallContext& context, RefPtr<HttpReplySink> sink) {
  PT_VLOG(service_->logger(), 1, "",
          "HTTP request: " + std::string(head.method) + " " + std::string(head.target));
  if (port == PortRole::kMetrics) return HandleMetricsPort(head, sink.get());
  if (port == PortRole::kSageMaker && HandleSageMaker(head, body, sink)) return;
  if (IsCloudPort(port)) {
    const CloudCall cloud(*service_, port, head);
    if (!cloud.is_known()) return sink->Send(EmptyReply(400, {}));
    if (port == PortRole::kSageMaker) sink = MakeSageMakerSink(std::move(sink));
    const bool is_metrics = cloud.head().target == "/metrics";
    return Handle(cloud.head(), std::move(body), is_metrics ? PortRole::kMetrics : PortRole::kHttp,
                  context, std::move(sink));
  }
  RestPath path;
  const RestRoute* route = FindRoute(head.target, &path);
  if (route == nullptr) return sink->Send(ErrorReply(404, "Not Found", kPlainType));
  const std::string refusal = service_->options().http_access.Refusal(route->group, &head);
  if (!refusal.empty()) return sink->Send(ErrorReply(403, refusal, kPlainType));
  const RestHandler handler = head.method == "POST"  ? route->post
                              : head.method == "GET" ? route->get
                                                     : nullptr;
  if (handler == nullptr) return sink->Send(ErrorReply(405, kNotAllowed, route->error_type));
  RestCall call{env_, head, std::move(body), context, std::move(sink), path};
  handler(call);
}

bool RestService::HandleSageMaker(const HttpRequestHead& head, const Slice& body,
                                  const RefPtr<HttpReplySink>& sink) {
  const std::string_view path = PathOfTarget(head.target);
  if (!path.starts_with("/models")) return false;
  const std::string_view invoked = InvokedModel(path);
  if (!invoked.empty()) {
    if (head.method != "POST" || sagemaker_models_.Has(invoked)) return false;
    sink->Send(EmptyReply(404, {}));
    return true;
  }
  const std::string refusal =
      service_->options().http_access.Refusal(ApiGroup::kModelRepository, &head);
  if (refusal.empty()) return sagemaker_models_.Handle(head, body, sink);
  sink->Send(ErrorReply(403, refusal, kPlainType));
  return true;
}

void RestService::HandleMetricsPort(const HttpRequestHead& head, HttpReplySink* sink) const {
  const std::string_view path = PathOfTarget(head.target);
  if (path != "/metrics" && path != "/metrics/") {
    return sink->Send(ErrorReply(404, "Not Found: this port serves /metrics", kPlainType));
  }
  if (head.method != "GET") return sink->Send(ErrorReply(405, kNotAllowed, kPlainType));
  HttpReply reply = EmptyReply(200, kMetricsType);
  reply.body.push_back(Slice::OfString(prometheus_->Text()));
  sink->Send(std::move(reply));
}

}  // namespace pt::api
