// Where libnghttp2 gets the memory for its streams and frames: cells (base/cells.h), which it takes
// and gives back six times a request.
//
// Thread rule: any.
#pragma once

struct nghttp2_option;
struct nghttp2_session;
struct nghttp2_session_callbacks;

namespace pt::wire {

// nghttp2_session_server_new2 with this memory: 0, or nghttp2's error code.
int NewServerSession(nghttp2_session** session, const nghttp2_session_callbacks* callbacks,
                     void* user, const nghttp2_option* option);

}  // namespace pt::wire
