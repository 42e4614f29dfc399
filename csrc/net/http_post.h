// HttpPost: sends one body to an HTTP server and waits for the answer's status: for exports, on a
// thread that may wait.
//
// Thread rule: blocks the calling thread, until the deadline at most (a name is looked up by the
// system, with its own limits). Owner rule: keeps nothing.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/status.h"
#include "net/tls.h"

namespace pt::net {

struct HttpUrl {
  std::string host;        // without brackets
  std::string port;        // "80" when the URL names none, "443" with TLS
  std::string path;        // with the query; "/" at least
  bool is_secure = false;  // https: with TLS

  // Errors: InvalidArgument for what is not http[s]://HOST[:PORT][/PATH].
  static Result<HttpUrl> Parse(std::string_view text);
};

// The answer's status. `tls`: whom to believe; null for clear text. Errors: Unavailable when there
// is no answer in time, or the server could not prove who it is.
Result<int> HttpPost(const HttpUrl& url, std::string_view content_type, std::string_view body,
                     TimePoint deadline, const TlsContext* tls);

}  // namespace pt::net
