// HttpPost: sends one body to an HTTP server and waits for the answer's status: for exports, on a
// thread that may wait. No TLS.
//
// Thread rule: blocks the calling thread, until the deadline at most (a name is looked up by the
// system, with its own limits). Owner rule: keeps nothing.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/status.h"

namespace pt::net {

struct HttpUrl {
  std::string host;  // without brackets
  std::string port;  // "80" when the URL names none
  std::string path;  // with the query; "/" at least

  // Errors: InvalidArgument for what is not http://HOST[:PORT][/PATH].
  static Result<HttpUrl> Parse(std::string_view text);
};

// The answer's status. Errors: Unavailable when there is none in time.
Result<int> HttpPost(const HttpUrl& url, std::string_view content_type, std::string_view body,
                     TimePoint deadline);

}  // namespace pt::net
