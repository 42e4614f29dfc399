// The table of gRPC methods: path -> what serves it. A new method is a new row and a function.
//
// Thread rule: constant data; the functions are thread-safe.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "api/access.h"
#include "api/service.h"
#include "base/status.h"

namespace pt::api {

// A method that answers one message with one at once. `request` and `response` are protobuf bytes.
// Errors: Internal "Unable to parse request", and the method's own.
using UnaryFunction = Status (*)(const Service& service, std::string_view request,
                                 std::string* response);

// Takes the answer of a LaterFunction, from any thread: once, a status or protobuf bytes.
using LaterDone = std::function<void(const Status& status, std::string response)>;
// A method that answers one message with one, later: nothing may block a loop.
using LaterFunction = void (*)(const Service& service, std::string_view request, LaterDone done);

enum class MethodKind {
  kInfer,        // ModelInfer
  kStreamInfer,  // ModelStreamInfer
  kUnary,        // `function`
  kReflection,   // `function` for each message of a stream
  kLater,        // `later`
};

struct GrpcMethod {
  std::string_view path;
  MethodKind kind = MethodKind::kUnary;
  UnaryFunction function = nullptr;
  ApiGroup group = ApiGroup::kOpen;  // whom it can be restricted with
  LaterFunction later = nullptr;
};

// Null when there is no such method.
const GrpcMethod* FindGrpcMethod(std::string_view path);
std::span<const GrpcMethod> GrpcMethods();

}  // namespace pt::api
