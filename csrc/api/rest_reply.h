// Replies of the REST edge: statuses, content types and error bodies
// (spec/triton-frontend 1.1, 1.3).
//
// Thread rule: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "api/http_call.h"
#include "base/status.h"
#include "wire/json_writer.h"

namespace pt::api {

inline constexpr std::string_view kJsonType = "application/json";
inline constexpr std::string_view kPlainType = "text/plain";
inline constexpr std::string_view kOctetType = "application/octet-stream";

// The HTTP status of a failure.
int HttpStatusOf(Code code);

HttpReply EmptyReply(int status, std::string_view content_type);
// 200 with what was written; Unavailable when the writer had no memory.
HttpReply JsonReply(wire::JsonWriter&& writer);
// {"error":"TEXT"} with the mapped status.
HttpReply ErrorReply(const Status& status, std::string_view content_type);
HttpReply ErrorReply(int status, std::string_view text, std::string_view content_type);
// Sends such a reply, as JSON.
void Refuse(HttpReplySink* sink, const Status& status);

}  // namespace pt::api
