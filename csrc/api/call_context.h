// CallContext: what the edge gives the api of the loop it runs on.
//
// Thread rule: belongs to one loop's driver. Owner rule: owned by the loop's part of the server.
#pragma once

#include "base/block.h"
#include "base/clock.h"
#include "infer/submit_round.h"

namespace pt::api {

struct CallContext {
  SubmitRound* round = nullptr;  // where requests are collected until the round's end
  BlockPool* pool = nullptr;     // buffers for bodies and answers
  TimePoint now;                 // start of this round; cheap enough for arrival times
};

}  // namespace pt::api
