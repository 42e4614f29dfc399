// The JSON form of a protobuf message as Triton gives it: .proto names in the order of declaration,
// defaults of scalar fields written out, 64-bit integers as numbers, enum values by name.
//
// Thread rule: pure.
#pragma once

#include <string>

#include "wire/json_writer.h"

namespace google::protobuf {
class Message;
}

namespace pt::wire {

void WriteProtoJson(const google::protobuf::Message& message, JsonWriter* writer);
std::string ProtoJson(const google::protobuf::Message& message);

}  // namespace pt::wire
