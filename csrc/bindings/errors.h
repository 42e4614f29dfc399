// Errors: a Status as a Python exception, in one table.
//
// Thread rule: needs the interpreter lock.
#pragma once

#include "base/status.h"

namespace pt::bindings {

// Throws what pybind11 turns into the matching exception of pytriton.exceptions. Returns when OK.
void ThrowIfError(const Status& status);

}  // namespace pt::bindings
