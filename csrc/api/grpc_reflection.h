// gRPC server reflection: lists the services and gives their descriptors, out of libprotobuf's
// pool. Each is a UnaryFunction (api/grpc_methods.h), called for each message of the stream.
//
// Thread rule: thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "api/service.h"
#include "base/status.h"

namespace pt::api {

// For v1 and v1alpha, whose messages are alike. What is unknown is answered with an error response
// inside the stream, not with a status.
Status Reflect(const Service& service, std::string_view request, std::string* response);

}  // namespace pt::api
