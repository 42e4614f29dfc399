#include "api/trace_names.h"

#include "base/log_format.h"

namespace pt::api {

std::string_view EventName(TraceEvent event, TraceFront front) {
  const bool is_http = front == TraceFront::kHttp;
  switch (event) {
    case TraceEvent::kReceiveStart:
      return is_http ? "HTTP_RECV_START" : "GRPC_WAITREAD_START";
    case TraceEvent::kReceiveEnd:
      return is_http ? "HTTP_RECV_END" : "GRPC_WAITREAD_END";
    case TraceEvent::kRequestStart:
      return "REQUEST_START";
    case TraceEvent::kQueueStart:
      return "QUEUE_START";
    case TraceEvent::kComputeStart:
      return "COMPUTE_START";
    case TraceEvent::kComputeInputEnd:
      return "COMPUTE_INPUT_END";
    case TraceEvent::kComputeOutputStart:
      return "COMPUTE_OUTPUT_START";
    case TraceEvent::kComputeEnd:
      return "COMPUTE_END";
    case TraceEvent::kResponseComplete:
      return "INFER_RESPONSE_COMPLETE";
    case TraceEvent::kRequestEnd:
      return "REQUEST_END";
    case TraceEvent::kSendStart:
      return is_http ? "HTTP_SEND_START" : "GRPC_SEND_START";
    case TraceEvent::kSendEnd:
      break;
  }
  return is_http ? "HTTP_SEND_END" : "GRPC_SEND_END";
}

std::string_view ActivityName(TraceActivity activity) {
  switch (activity) {
    case TraceActivity::kQueueInput:
      return "TENSOR_QUEUE_INPUT";
    case TraceActivity::kBackendInput:
      return "TENSOR_BACKEND_INPUT";
    case TraceActivity::kBackendOutput:
      break;
  }
  return "TENSOR_BACKEND_OUTPUT";
}

std::string JsonText(std::string_view text) {
  std::string quoted = "\"";
  AppendJsonEscaped(text, &quoted);
  return quoted + "\"";
}

}  // namespace pt::api
