// From a parsed ModelInferRequest to a validated InferRequest, for unary calls and streams alike
// (spec/triton-frontend 2 and 3.3).
//
// Thread rule: loop driver only.
#pragma once

#include <string>
#include <vector>

#include "api/region_use.h"
#include "api/service.h"
#include "infer/request.h"
#include "wire/infer_assembler.h"
#include "wire/infer_proto.h"
#include "wire/small_list.h"

namespace pt::api {

// An output that the client asked for.
struct OutputChoice {
  int index = 0;         // into ModelConfig::outputs
  uint32_t classes = 0;  // not 0: the best classes instead of the values
  int target = -1;       // into AnswerPlan::targets; -1: the bytes go into the answer
};

// What the answer to a request needs to know of it.
struct AnswerPlan {
  const Model* model = nullptr;  // pinned by the request until its final response
  std::string id;
  std::string asked_version;                 // as the client wrote it; empty: the highest
  wire::SmallList<OutputChoice, 4> outputs;  // none: all
  std::vector<RegionTarget> targets;
  bool wants_empty_final = false;  // triton_enable_empty_final_response

  // Null: the client does not want this output.
  const OutputChoice* Find(int index) const;
};

enum class CallKind { kUnary, kStream };

// One message with what the call around it adds.
struct InferMessage {
  const wire::InferRequestView* view = nullptr;
  const wire::InferRequestBytes* bytes = nullptr;
  const Parameters* forwarded = nullptr;  // from headers; they win over parameters of the message
  TimePoint deadline = kNoDeadline;
  CallKind kind = CallKind::kUnary;
};

// A request without a responder yet; its inputs share the message's blocks. Errors: the documented
// ones; `plan->model` is set when the model was found and the call is allowed for it.
Result<RequestPtr> BuildInferRequest(const Service& service, const CallContext& context,
                                     const InferMessage& message, AnswerPlan* plan);

}  // namespace pt::api
