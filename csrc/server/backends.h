// The backends that models of a repository may name: one row each.
//
// Thread rule: an opener is called on load threads.
#pragma once

#include "base/log.h"
#include "infer/backend_loader.h"

namespace pt::server {

// Opens any of the backends in the table. Errors: NotFound, in Triton's words, for another name.
BackendOpener MakeBackendOpener(Logger* logger);

}  // namespace pt::server
