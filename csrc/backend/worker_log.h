// Lines that a worker writes to the server's log, and which levels it may spare itself.
//
// Thread rule: any thread. Owner rule: none; what is read was written by a model's process.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/log.h"

namespace pt::backend {

// A bit for each of the worker's levels that `logger` writes now.
uint32_t LogMaskFor(const Logger* logger);
// Writes the line of a FromWorker::kLog message.
void LogFromWorker(Logger* logger, std::string_view payload);

}  // namespace pt::backend
