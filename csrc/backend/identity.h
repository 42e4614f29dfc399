// IdentityBackend: answers each request with its own inputs: input i comes back as output i,
// without a copy. For tests, for operators who try a repository, and for measuring everything but
// the model.
//
// From a repository it honours the parameters execute_delay_ms and load_delay_ms (milliseconds),
// load_bytes (memory it holds while it is loaded) and fail_load (the text of a failed load), and
// gives the text of a file content.txt of the version, if there is one, as response parameter
// "content": so a client sees which files answered.
//
// Thread rule: instances share nothing that changes; each belongs to its thread.
// Owner rule: as said in infer/backend.h. Outputs share the blocks of the inputs.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "infer/backend.h"
#include "infer/backend_loader.h"
#include "infer/instance_places.h"

namespace pt::backend {

struct IdentityOptions {
  std::chrono::milliseconds execute_delay{0};
  std::string content;        // empty: no such response parameter
  std::vector<char> ballast;  // memory that is there to be held
};

class IdentityBackend final : public Backend {
 public:
  explicit IdentityBackend(IdentityOptions options = {}, const ModelConfig& config = {})
      : options_(std::make_shared<const IdentityOptions>(std::move(options))), roster_(config) {}
  Result<std::unique_ptr<BackendInstance>> CreateInstance(int ordinal) override;
  bool CanChange() const override { return true; }
  Result<InstanceChange> PlanChange(const ModelConfig& config,
                                    const std::shared_ptr<LoadControl>& control) override
      EXCLUDES(mu_);
  void OnLeaving(int ordinal) override EXCLUDES(mu_);
  void Forget(int ordinal) override EXCLUDES(mu_);

 private:
  const std::shared_ptr<const IdentityOptions> options_;  // with every instance
  Mutex mu_;
  InstanceRoster roster_ GUARDED_BY(mu_);
};

// The opener of backend "identity".
Result<std::unique_ptr<BackendLoader>> OpenIdentity(const VersionSource& source);

}  // namespace pt::backend
