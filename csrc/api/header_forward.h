// HeaderForwarder: hands request headers whose names match a pattern on to the model as request
// parameters (spec/triton-frontend 1.14, 3.6).
//
// Thread rule: immutable, thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "api/http_call.h"
#include "base/log.h"
#include "base/status.h"
#include "infer/parameter.h"

namespace pt::api {

class HeaderForwarder {
 public:
  // `pattern`: a regular expression, matched anywhere in the name and without letter case. Empty,
  // or malformed (which is logged): nothing is forwarded.
  HeaderForwarder(const std::string& pattern, Logger* logger);
  ~HeaderForwarder();
  HeaderForwarder(const HeaderForwarder&) = delete;
  HeaderForwarder& operator=(const HeaderForwarder&) = delete;

  bool is_active() const { return pattern_ != nullptr; }
  // The matching headers with their own letter case; of repeated ones the last.
  // Errors: InvalidArgument for a name that is a request parameter with a meaning of its own.
  Result<Parameters> Forward(const HttpRequestHead& head) const;

 private:
  struct Pattern;
  std::unique_ptr<const Pattern> pattern_;
};

// Sets a parameter; replaces one of that name.
void SetParameter(std::string name, ParameterValue value, Parameters* parameters);

}  // namespace pt::api
