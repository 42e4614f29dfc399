// Runner: opens the connections, decides when each request starts, and counts how it ends.
//
// Closed loop: a slot starts its next request when its last one ended. Open loop: requests are due
// at fixed times and take any free slot; latency counts from when they were due. One thread.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "base/status.h"
#include "load/answer.h"
#include "load/message.h"
#include "load/poller.h"
#include "load/session.h"
#include "load/tally.h"
#include "load/workload.h"

namespace pt::load {

class Runner final : public SessionOwner {
 public:
  // Borrows the options.
  explicit Runner(const Options* options);
  ~Runner() override;

  // Does what the options say. Unavailable: the server cannot be reached (any more);
  // DeadlineExceeded: it stopped answering.
  Result<Tally> Run();

  void OnEnded(Session& session, const Ending& ending) override;

 private:
  Status RunFirstAnswer();
  Status RunLoad();
  Status RunVanishing();
  // After clients vanished the server must still be there, and answer one more rightly.
  Status CheckStillRight();

  Status OpenActive();
  Status OpenIdle();
  Result<std::unique_ptr<Session>> OpenOne(size_t index);
  void DropActive(int64_t round);

  // Goes on until the clock says `end_ns`.
  Status RunUntil(int64_t end_ns);
  // Waits until nothing is in flight.
  Status Drain();
  // Starts what may start at `now`, sends, waits until `wake_ns` for one round of events.
  Status Turn(int64_t now, int64_t wake_ns);
  void StartFree(int64_t now);
  void FlushDirty();
  Status ReplaceBroken();
  Status CheckProgress(int64_t now) const;
  void MarkDirty(Session& session);

  const Options* options_;
  Workload workload_;
  Message request_;
  AnswerBook book_;
  SessionShared shared_;
  Poller poller_;
  Tally tally_;

  std::vector<std::unique_ptr<Session>> active_;
  std::vector<std::unique_ptr<Session>> idle_;
  std::deque<size_t> free_slots_;  // indices into active_, once for each request it may start
  std::vector<Session*> dirty_;    // have something to send or are broken
  bool is_starting_ = false;       // new requests are wanted
  int64_t in_flight_ = 0;
  int64_t last_end_ns_ = 0;
  Outcome last_outcome_ = Outcome::kFailed;
  double due_ns_ = 0;  // open loop: when the next request is due
};

}  // namespace pt::load
