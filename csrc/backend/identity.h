// IdentityBackend: answers each request with its own inputs: input i comes back as output i,
// without a copy. For tests and for measuring everything but the model.
//
// Thread rule: instances share nothing; each belongs to its thread.
// Owner rule: as said in infer/backend.h. Outputs share the blocks of the inputs.
#pragma once

#include <memory>

#include "infer/backend.h"

namespace pt::backend {

class IdentityBackend final : public Backend {
 public:
  Result<std::unique_ptr<BackendInstance>> CreateInstance(int ordinal) override;
};

}  // namespace pt::backend
