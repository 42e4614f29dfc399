// Protobuf messages in and out of control methods. Included by .cc files only: it stands for
// libprotobuf's generated code, which stays out of every other header.
//
// Thread rule: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace pt::api {

// Errors: Internal "Unable to parse request".
template <typename Message>
Status ParseMessage(std::string_view bytes, Message* message) {
  if (message->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return {};
  return Internal("Unable to parse request");
}

// Errors: Internal when it is larger than protobuf allows.
template <typename Message>
Status WriteMessage(const Message& message, std::string* bytes) {
  if (message.SerializeToString(bytes)) return {};
  return Internal("Unable to serialize response");
}

}  // namespace pt::api
