#include "base/status.h"

namespace pt {

std::string_view CodeName(Code code) {
  switch (code) {
    case Code::kOk:
      return "OK";
    case Code::kUnknown:
      return "Unknown";
    case Code::kInternal:
      return "Internal";
    case Code::kNotFound:
      return "Not found";
    case Code::kInvalidArgument:
      return "Invalid argument";
    case Code::kUnavailable:
      return "Unavailable";
    case Code::kUnsupported:
      return "Unsupported";
    case Code::kAlreadyExists:
      return "Already exists";
    case Code::kCancelled:
      return "Cancelled";
    case Code::kDeadlineExceeded:
      return "Deadline exceeded";
    case Code::kPermissionDenied:
      return "Permission denied";
    case Code::kTooLarge:
      return "Too large";
  }
  return "Unknown";
}

Status::Status(Code code, std::string message)
    : state_(std::make_unique<State>(State{code, std::move(message)})) {
  PT_DCHECK(code != Code::kOk);
}

const std::string& Status::message() const {
  static const std::string empty;
  return ok() ? empty : state_->message;
}

std::string Status::ToString() const {
  if (ok()) return "OK";
  return std::string(CodeName(code())) + ": " + message();
}

}  // namespace pt
