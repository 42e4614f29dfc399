// The backends that models of a repository may name: one row each.
//
// Thread rule: an opener is called on load threads.
#pragma once

#include "backend/worker_backend.h"
#include "infer/backend_loader.h"

namespace pt::server {

// Opens any of the backends in the table. Errors: NotFound, in Triton's words, for another name.
// `workers`: borrowed; opens what is not in the table.
BackendOpener MakeBackendOpener(backend::WorkerBackends* workers);

}  // namespace pt::server
