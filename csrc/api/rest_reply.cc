#include "api/rest_reply.h"

#include <utility>

namespace pt::api {

int HttpStatusOf(Code code) {
  switch (code) {
    case Code::kOk:
      return 200;
    case Code::kInternal:
      return 500;
    case Code::kNotFound:
      return 404;
    case Code::kUnavailable:
      return 503;
    case Code::kUnsupported:
      return 501;
    case Code::kDeadlineExceeded:
      return 504;
    case Code::kPermissionDenied:
      return 403;
    case Code::kTooLarge:
      return 413;
    case Code::kUnknown:
    case Code::kInvalidArgument:
    case Code::kAlreadyExists:
    case Code::kCancelled:
      break;
  }
  return 400;
}

HttpReply EmptyReply(int status, std::string_view content_type) {
  HttpReply reply;
  reply.status = status;
  reply.content_type = content_type;
  return reply;
}

HttpReply JsonReply(wire::JsonWriter&& writer) {
  if (!writer.ok()) return ErrorReply(Unavailable("no memory for the answer"), kJsonType);
  HttpReply reply = EmptyReply(200, kJsonType);
  reply.body.push_back(std::move(writer).Take());
  return reply;
}

HttpReply ErrorReply(const Status& status, std::string_view content_type) {
  return ErrorReply(HttpStatusOf(status.code()), status.message(), content_type);
}

HttpReply ErrorReply(int status, std::string_view text, std::string_view content_type) {
  HttpReply reply = EmptyReply(status, content_type);
  reply.body.push_back(Slice::OfString(wire::JsonError(text)));
  return reply;
}

void Refuse(HttpReplySink* sink, const Status& status) {
  sink->Send(ErrorReply(status, kJsonType));
}

}  // namespace pt::api
