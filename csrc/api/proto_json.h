// The JSON form of a protobuf message as Triton gives it: .proto names in the order of declaration,
// defaults of scalar fields written out, 64-bit integers as numbers, enum values by name.
//
// Included by .cc files only, as it names libprotobuf's types.
// Thread rule: pure.
#pragma once

#include <google/protobuf/message.h>

#include "wire/json_writer.h"

namespace pt::api {

void WriteProtoJson(const google::protobuf::Message& message, wire::JsonWriter* writer);

}  // namespace pt::api
