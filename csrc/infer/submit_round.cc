#include "infer/submit_round.h"

#include <utility>

#include "infer/scheduler.h"

namespace pt {

void SubmitRound::Add(RequestPtr request) {
  Model* const model = request->handle().get();
  // A round rarely sees more than a few models: a scan beats a map.
  for (size_t i = 0; i < used_; ++i) {
    if (groups_[i].model == model) {
      groups_[i].requests.push_back(std::move(request));
      return;
    }
  }
  if (used_ == groups_.size()) groups_.emplace_back();
  Group& group = groups_[used_++];
  group.model = model;
  group.requests.push_back(std::move(request));
}

void SubmitRound::Flush() {
  // Submit may run a model here, whose answers may let a connection add further requests: such a
  // request joins a group that is still to come, or one after the last.
  for (size_t i = 0; i < used_; ++i) {
    Model* const model = std::exchange(groups_[i].model, nullptr);
    if (model == nullptr) continue;  // a Flush inside Submit took it already
    RequestList requests = std::move(groups_[i].requests);
    // The last request may be answered, and the model be unloaded, before Submit returns.
    const ModelHandle pin = requests.front()->handle().Share();
    model->scheduler().Submit(std::move(requests), host_);
    requests.clear();
    groups_[i].requests = std::move(requests);
  }
  used_ = 0;
}

}  // namespace pt
