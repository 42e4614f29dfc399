// The REST routes: one row a path (spec/triton-frontend 1.2). A new endpoint is a new row.
//
// Thread rule: constant data and pure functions.
#pragma once

#include <string_view>

#include "api/access.h"
#include "api/rest_call.h"

namespace pt::api {

struct RestRoute {
  ApiGroup group = ApiGroup::kOpen;  // whom it can be restricted with
  // Literal text with {model}, {region} and {repository} (anything but '/') and {version} (digits).
  std::string_view pattern;
  RestHandler get = nullptr;
  RestHandler post = nullptr;
  std::string_view error_type;  // content type of the 405
  bool is_infer = false;        // takes tensors: large bodies, an aligned binary part
};

// The row of a request target (query, absolute form and one slash at the end are cut off), and what
// its path names. Null when there is none.
const RestRoute* FindRoute(std::string_view target, RestPath* path);
// "/v2/models/m" of "http://host/v2/models/m?x=1".
std::string_view PathOfTarget(std::string_view target);

}  // namespace pt::api
