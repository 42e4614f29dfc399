#include "api/cloud_routes.h"

#include <set>
#include <utility>

#include "api/rest_routes.h"
#include "api/sagemaker_models.h"

namespace pt::api {
namespace {

constexpr std::string_view kSageMakerType =
    "application/vnd.sagemaker-triton.binary+json;json-header-size=";
constexpr std::string_view kVertexAiType =
    "application/vnd.vertex-ai-triton.binary+json;json-header-size=";
constexpr std::string_view kRedirect = "X-Vertex-Ai-Triton-Redirect";
constexpr std::string_view kReady = "/v2/health/ready";

std::string InferTarget(const std::string& model) { return "/v2/models/" + model + "/infer"; }

// The only model that is served; empty when there are several or none.
std::string OnlyModel(const Service& service) {
  std::set<std::string> names;
  service.repository().ForEachReady([&names](Model& model) { names.insert(model.name()); });
  return names.size() == 1 ? *names.begin() : std::string();
}

class SageMakerSink final : public HttpReplySink {
 public:
  explicit SageMakerSink(RefPtr<HttpReplySink> sink) : sink_(std::move(sink)) {}

  void Send(HttpReply&& reply) override { sink_->Send(Translate(std::move(reply))); }
  void SendHead(HttpReply&& head) override { sink_->SendHead(Translate(std::move(head))); }
  void SendChunk(SliceList&& bytes) override { sink_->SendChunk(std::move(bytes)); }
  void End() override { sink_->End(); }
  void CancelWith(RefPtr<Responder> responder) override { sink_->CancelWith(std::move(responder)); }

 private:
  static HttpReply Translate(HttpReply&& reply) {
    if (reply.inference_header_length >= 0) {
      reply.content_type = {};
      reply.more_headers.emplace_back(
          "Content-Type",
          std::string(kSageMakerType) + std::to_string(reply.inference_header_length));
      reply.inference_header_length = -1;
    }
    return std::move(reply);
  }

  const RefPtr<HttpReplySink> sink_;
};

}  // namespace

CloudCall::CloudCall(const Service& service, PortRole port, const HttpRequestHead& head) {
  if (port == PortRole::kSageMaker) {
    TranslateSageMaker(service.options().cloud, head);
  } else {
    TranslateVertexAi(service, head);
  }
}

void CloudCall::TranslateSageMaker(const CloudOptions& options, const HttpRequestHead& head) {
  const std::string_view path = PathOfTarget(head.target);
  if (path == "/ping" && head.method == "GET") return GoTo(std::string(kReady), {}, head);
  if (head.method != "POST") return;
  const std::string_view invoked = InvokedModel(path);
  if (!invoked.empty()) return GoTo(InferTarget(std::string(invoked)), kSageMakerType, head);
  if (path != "/invocations") return;
  GoTo(InferTarget(options.sagemaker_model), kSageMakerType, head);
}

void CloudCall::TranslateVertexAi(const Service& service, const HttpRequestHead& head) {
  const CloudOptions& options = service.options().cloud;
  const std::string_view path = PathOfTarget(head.target);
  if (path == options.vertex_health_route && head.method == "GET") {
    return GoTo(std::string(kReady), {}, head);
  }
  if (path != options.vertex_predict_route || head.method != "POST") return;
  const std::string_view redirect = head.Find(kRedirect);
  if (!redirect.empty()) {
    const std::string target = "/" + std::string(redirect);
    RestPath ignored;
    const RestRoute* const route = FindRoute(target, &ignored);
    if (route == nullptr && redirect != "metrics") return;
    GoTo(target, kVertexAiType, head);
    // Vertex AI sends every call as a POST.
    if (route == nullptr || route->post == nullptr) head_.method = "GET";
    return;
  }
  const std::string& named = options.vertex_model;
  GoTo(InferTarget(named.empty() ? OnlyModel(service) : named), kVertexAiType, head);
}

void CloudCall::GoTo(std::string target, std::string_view binary_type,
                     const HttpRequestHead& head) {
  target_ = std::move(target);
  head_.method = head.method;
  head_.target = target_;
  head_.started = head.started;
  const std::string_view type = head.Find("Content-Type");
  if (!binary_type.empty() && type.starts_with(binary_type)) {
    head_.headers.push_back({"Inference-Header-Content-Length", type.substr(binary_type.size())});
  }
  const bool is_compressible = binary_type != kSageMakerType;
  for (const HeaderView& header : head.headers) {
    HttpRequestHead one;
    one.headers.push_back(header);
    if (!is_compressible && (one.Has("Accept-Encoding") || one.Has("Content-Encoding"))) continue;
    head_.headers.push_back(header);
  }
}

RefPtr<HttpReplySink> MakeSageMakerSink(RefPtr<HttpReplySink> sink) {
  return MakeRef<SageMakerSink>(std::move(sink));
}

}  // namespace pt::api
