// RestService: the REST edge: finds the route of a call, checks method and size, and runs its
// handler.
//
// Thread rule: thread-safe; Handle on any loop. Owner rule: borrows Service and Prometheus; must
// outlive every call under way.
#pragma once

#include "api/header_forward.h"
#include "api/http_call.h"
#include "api/prometheus.h"
#include "api/rest_call.h"
#include "api/rest_infer_head.h"
#include "api/service.h"

namespace pt::api {

class RestService final : public HttpService {
 public:
  RestService(Service* service, const Prometheus* prometheus);

  BodyPlan Plan(const HttpRequestHead& head, PortRole port) const override;
  void Handle(const HttpRequestHead& head, Slice body, PortRole port, const CallContext& context,
              RefPtr<HttpReplySink> sink) override;

 private:
  void HandleMetricsPort(const HttpRequestHead& head, HttpReplySink* sink) const;

  Service* const service_;
  const Prometheus* const prometheus_;
  const HeaderForwarder forwarder_;
  InferHeadPool heads_;
  const RestEnv env_;
};

}  // namespace pt::api
