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
#include "api/sagemaker_models.h"
#include "api/service.h"

namespace pt::api {

class RestService final : public HttpService {
 public:
  RestService(Service* service, const Prometheus* prometheus);

  BodyPlan Plan(const HttpRequestHead& head, PortRole port) const override;
  void Handle(const HttpRequestHead& head, Slice body, PortRole port, const CallContext& context,
              RefPtr<HttpReplySink> sink) override;

 private:
  // False: the call is not for the models of the SageMaker port.
  bool HandleSageMaker(const HttpRequestHead& head, const Slice& body,
                       const RefPtr<HttpReplySink>& sink);
  void HandleMetricsPort(const HttpRequestHead& head, HttpReplySink* sink) const;

  Service* const service_;
  const Prometheus* const prometheus_;
  const HeaderForwarder forwarder_;
  InferHeadPool heads_;
  const RestEnv env_;
  SageMakerModels sagemaker_models_;
};

}  // namespace pt::api
