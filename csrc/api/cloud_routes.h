// The routes of the SageMaker and Vertex AI ports (spec/triton-frontend 1.15 and 1.16), by
// translation: a call of such a port becomes the REST call that means the same.
//
// Thread rule: CloudCall belongs to one call; the rest is pure. Owner rule: CloudCall borrows the
// head it was made from and owns what it adds.
#pragma once

#include <string>

#include "api/http_call.h"
#include "api/rest_call.h"

namespace pt::api {

inline bool IsCloudPort(PortRole port) {
  return port == PortRole::kSageMaker || port == PortRole::kVertexAi;
}

class CloudCall {
 public:
  CloudCall(const Service& service, PortRole port, const HttpRequestHead& head);
  CloudCall(const CloudCall&) = delete;
  CloudCall& operator=(const CloudCall&) = delete;

  // The port has no such route: 400 without a body.
  bool is_known() const { return !head_.target.empty(); }
  // The REST call. Valid as long as this object.
  const HttpRequestHead& head() const { return head_; }

 private:
  void TranslateSageMaker(const CloudOptions& options, const HttpRequestHead& head);
  void TranslateVertexAi(const Service& service, const HttpRequestHead& head);
  void GoTo(std::string target, std::string_view binary_type, const HttpRequestHead& head);

  std::string target_;
  HttpRequestHead head_;  // views into the original and into target_
};

// Tells the size of the JSON part the way SageMaker does: in the content type.
RefPtr<HttpReplySink> MakeSageMakerSink(RefPtr<HttpReplySink> sink);

}  // namespace pt::api
