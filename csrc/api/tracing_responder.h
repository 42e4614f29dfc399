// Puts a traced request's answers on record on their way to the client.
//
// Thread rule: as for Responder.
#pragma once

#include "infer/request.h"
#include "infer/trace.h"

namespace pt::api {

// REQUIRES: `request` has its responder, which is wrapped.
void TraceAnswers(const RefPtr<Trace>& trace, InferRequest* request);

}  // namespace pt::api
