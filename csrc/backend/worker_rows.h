// Rows: what differs in batches whose requests, or responses, are alike but for their tensors'
// bytes. One is written in full, of the others only key and bytes: the worker's interpreter then
// reads and writes them without looking at each field.
//
// Thread rule: pure functions. Of what a worker wrote every size is checked.
#pragma once

#include <cstdint>

#include "backend/worker_codec.h"
#include "infer/request.h"

namespace pt::backend {

// Set in the number of requests or responses of a message: the first is written in full, and rows
// follow.
inline constexpr uint32_t kRows = 0x80000000u;

// Whether all can be written as rows: equal tensors, small enough for the message, and nothing else
// that a client may add.
bool AreAlike(const RequestList& requests);

// REQUIRES: AreAlike of a list that has it.
void PutRow(uint64_t key, const InferRequest& request, MessageWriter* out);

// Turns a response into the next one: key and bytes are read, the rest stays. False: malformed, or
// the response has none that could be followed by rows.
bool GetRow(MessageReader* in, ResponseRecord* response);

}  // namespace pt::backend
