// The protocols a connection can speak; one function a row.
#pragma once

#include <cstddef>
#include <memory>

#include "server/connection.h"

namespace pt::server {

// Answers that a client does not read while it goes on receiving a stream; then it is cut off.
inline constexpr size_t kMaxUnread = size_t{64} << 20;

std::unique_ptr<Protocol> NewHttp1Protocol(Connection* connection);
// Speaks HTTP/2 with prior knowledge (the client's preface has been seen, and is still in the
// buffer).
std::unique_ptr<Protocol> NewHttp2Protocol(Connection* connection);

}  // namespace pt::server
