#include "api/grpc_call.h"

namespace pt::api {
namespace {

GrpcCode ToGrpcCode(Code code) {
  switch (code) {
    case Code::kOk:
      return GrpcCode::kOk;
    case Code::kUnknown:
      return GrpcCode::kUnknown;
    case Code::kInternal:
      return GrpcCode::kInternal;
    case Code::kNotFound:
      return GrpcCode::kNotFound;
    case Code::kInvalidArgument:
      return GrpcCode::kInvalidArgument;
    case Code::kUnavailable:
      return GrpcCode::kUnavailable;
    case Code::kUnsupported:
      return GrpcCode::kUnimplemented;
    case Code::kAlreadyExists:
      return GrpcCode::kAlreadyExists;
    case Code::kCancelled:
      return GrpcCode::kCancelled;
    case Code::kDeadlineExceeded:
      return GrpcCode::kDeadlineExceeded;
    case Code::kPermissionDenied:
      return GrpcCode::kPermissionDenied;
    case Code::kTooLarge:
      return GrpcCode::kResourceExhausted;
  }
  return GrpcCode::kUnknown;
}

}  // namespace

GrpcStatus ToGrpcStatus(const Status& status) {
  return {ToGrpcCode(status.code()), status.message()};
}

}  // namespace pt::api
