// RestCall: what every REST handler gets: the request, what its path named, where to answer, and
// what the REST edge owns.
//
// Thread rule: belongs to the loop that handles the call. Owner rule: everything is borrowed for
// the duration of the call, but the sink.
#pragma once

#include <memory>
#include <string_view>

#include "api/header_forward.h"
#include "api/http_call.h"
#include "api/rest_infer_head.h"
#include "api/service.h"

namespace pt::api {

class Prometheus;

// What the REST edge owns and every handler may use. Lives as long as the RestService.
struct RestEnv {
  Service* service = nullptr;
  InferHeadPool* heads = nullptr;
  const HeaderForwarder* forwarder = nullptr;
  const Prometheus* prometheus = nullptr;
};

// The variable parts of a path; empty when it has none.
struct RestPath {
  std::string_view model;
  std::string_view version;
  std::string_view region;
  std::string_view repository;
};

struct RestCall {
  const RestEnv& env;
  const HttpRequestHead& head;
  Slice body;
  const CallContext& context;
  RefPtr<HttpReplySink> sink;
  RestPath path;

  Service& service() const { return *env.service; }
};

using RestHandler = void (*)(RestCall& call);

}  // namespace pt::api
