// Repository calls, the same on REST and gRPC: load, unload and index of models. None blocks a
// loop: answers come later, from the thread that loads.
//
// Thread rule: thread-safe; callbacks on any thread, also at once.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "api/service.h"
#include "base/status.h"
#include "repo/model_control.h"

namespace pt::api {

// Uploaded bytes of one load in all, decoded.
inline constexpr uint64_t kMaxUploadBytes = uint64_t{1} << 31;
// How the parameter of an uploaded file begins; its path follows.
inline constexpr std::string_view kFileParameter = "file:";

// Errors, in Triton's words: Unsupported when a repository is named, Unavailable when this server
// loads no models on request.
Result<repo::ModelControl*> ControlOf(const Service& service, std::string_view repository);

using IndexDone = std::function<void(std::vector<repo::IndexEntry> index)>;

// The index with what is on disk now; only what serves when `ready_only`.
void CollectIndex(const Service& service, bool ready_only, IndexDone done);

// "unexpected error on creating Triton parameter", with what was expected.
Status UnknownLoadParameter(std::string_view name);

}  // namespace pt::api
