// EmbedBackend: runs a C++ host's callable as a model.
//
// Thread rule: as Backend; the callable runs on the instances' threads.
#pragma once

#include <memory>

#include "base/block.h"
#include "infer/backend.h"
#include "pytriton/server.h"

namespace pt::server {

class EmbedBackend final : public Backend {
 public:
  explicit EmbedBackend(pytriton::Callable callable) : callable_(std::move(callable)) {}
  Result<std::unique_ptr<BackendInstance>> CreateInstance(int ordinal) override;

 private:
  const pytriton::Callable callable_;
  BlockPool pool_{size_t{64} << 20};  // for outputs
};

}  // namespace pt::server
