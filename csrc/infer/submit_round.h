// SubmitRound: collects the requests of one event round, so that each scheduler is called once a
// round.
//
// Thread rule: belongs to one loop's driver. Owner rule: owned by the loop's context.
#pragma once

#include <vector>

#include "infer/request.h"

namespace pt {

class LoopHost;

class SubmitRound {
 public:
  explicit SubmitRound(LoopHost* host) : host_(host) {}

  void Add(RequestPtr request);
  // Hands everything over: Scheduler::Submit once per model. Called by the loop at the round's end.
  void Flush();
  bool empty() const { return used_ == 0; }

 private:
  struct Group {
    Model* model = nullptr;
    RequestList requests;
  };
  LoopHost* const host_;
  std::vector<Group> groups_;  // the first used_ are in use; the others keep their capacity
  size_t used_ = 0;
};

}  // namespace pt
