// The handlers behind the REST routes; each answers through the call's sink, at once or later.
//
// Thread rule: on the loop that handles the call.
#pragma once

#include "api/rest_call.h"

namespace pt::api {

// rest_infer.cc
void HandleInfer(RestCall& call);

// generate.cc
void HandleGenerate(RestCall& call);
void HandleGenerateStream(RestCall& call);

// rest_metadata.cc
void HandleLive(RestCall& call);
void HandleReady(RestCall& call);
void HandleServerMetadata(RestCall& call);
void HandleModelMetadata(RestCall& call);
void HandleModelReady(RestCall& call);
void HandleModelConfig(RestCall& call);

// rest_statistics.cc
void HandleStatistics(RestCall& call);

// rest_repository.cc
void HandleIndex(RestCall& call);
void HandleLoad(RestCall& call);
void HandleUnload(RestCall& call);

// rest_admin.cc
void HandleLogging(RestCall& call);
void HandleUpdateLogging(RestCall& call);

// rest_trace.cc
void HandleTraceSetting(RestCall& call);
void HandleUpdateTraceSetting(RestCall& call);
// Traces a request that a handler is about to submit, if it is to be.
void TraceRequest(const RestCall& call, InferRequest* request);

// rest_memory.cc
void HandleSystemMemoryStatus(RestCall& call);
void HandleSystemMemoryRegister(RestCall& call);
void HandleSystemMemoryUnregister(RestCall& call);
void HandleCudaMemoryStatus(RestCall& call);
void HandleCudaMemoryRegister(RestCall& call);
void HandleCudaMemoryUnregister(RestCall& call);

}  // namespace pt::api
