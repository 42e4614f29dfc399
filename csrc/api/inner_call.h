// InnerCall: a request that a model makes to another model (business logic scripting): finds the
// model, checks the request as an edge does, runs it, names the outputs of what comes back.
//
// Thread rule: StartInnerCall from any thread; the sink is called on any thread, also inside.
// Owner rule: the request holds the Responder; who asked holds it too, to cancel.
#pragma once

#include "api/tracer.h"
#include "infer/worker_services.h"
#include "repo/repository.h"

namespace pt::api {

// Errors reach the sink, with the texts of Triton's Python backend ("Model NAME - Error when
// running inference: ..."). Null when the sink was called with the end already. A request that
// names the trace it belongs to gets one below that; `tracer` null: none.
RefPtr<Responder> StartInnerCall(const repo::Repository& repository, Tracer* tracer,
                                 InnerRequest&& request, InnerSink sink);

}  // namespace pt::api
