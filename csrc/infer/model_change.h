// ModelChange: other instance groups (and another document) for a model while it serves. What shall
// come is started and proven first; only then everything changes, in one step that waits for
// nobody. A model version is loaded anew where that can't be done.
//
// Thread rule: one change of a model at a time; Prepare and the destructor may take long.
// Owner rule: pins the model as long as it lives.
#pragma once

#include <memory>

#include "base/status.h"
#include "infer/backend.h"
#include "infer/load_control.h"
#include "infer/model.h"

namespace pt {

class ModelChange {
 public:
  // Whether this model can become what `config` says without being loaded anew. `config` differs
  // from its current one in nothing but the instance groups and the documents.
  static bool IsPossible(const Model& model, const ModelConfig& config);

  // Starts the instances that are missing; they take no work yet. Gives up when `control` (may be
  // null) is cancelled. Errors: why one of them couldn't start; nothing has changed then.
  static Result<std::unique_ptr<ModelChange>> Prepare(ModelHandle model, ModelConfig config,
                                                      const std::shared_ptr<LoadControl>& control);
  ~ModelChange();  // without Commit: ends what was started
  ModelChange(const ModelChange&) = delete;
  ModelChange& operator=(const ModelChange&) = delete;

  // The new instances take work, those that are too many end what they run and go, and
  // current_config tells the new one.
  void Commit();

 private:
  ModelChange(ModelHandle model, ModelConfig config);
  Status Start(const std::shared_ptr<LoadControl>& control);
  void TakeBack();

  const ModelHandle model_;
  ModelConfig config_;
  InstanceChange instances_;
  bool is_committed_ = false;
};

}  // namespace pt
