// Where libnghttp2 gets the memory for its streams and frames: cells (base/cells.h), which it takes
// and gives back six times a request.
//
// Thread rule: any.
#pragma once

#include <nghttp2/nghttp2.h>

namespace pt::wire {

// For nghttp2_session_server_new3, which copies it.
nghttp2_mem Http2Memory();

}  // namespace pt::wire
