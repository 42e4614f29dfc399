// TlsTurns: the handshakes of one loop. A handshake costs a millisecond of CPU time, and anybody
// may begin one: one of them goes on in each round, so that the loop's other connections get their
// turn in between, and of too many the oldest is given up.
//
// Thread rule: loop driver only. Owner rule: owned by the loop's context; channels leave before it.
#pragma once

#include <cstddef>
#include <list>

#include "base/clock.h"

namespace pt::net {

class TlsHandshake {
 public:
  // Another handshake needs the place: end the connection. Leave is called before it returns.
  virtual void GiveUp() = 0;

 protected:
  ~TlsHandshake() = default;
};

class TlsTurns {
 public:
  using Place = std::list<TlsHandshake*>::iterator;
  // OpenSSL takes about 40 KB for each. An honest client is done after some round trips, so that
  // whoever waits longest is the least likely to be one.
  static constexpr size_t kMaxHandshakes = 2048;

  explicit TlsTurns(size_t max_handshakes = kMaxHandshakes) : max_handshakes_(max_handshakes) {}

  Place Enter(TlsHandshake* handshake) {
    if (waiting_.size() >= max_handshakes_) waiting_.front()->GiveUp();
    return waiting_.insert(waiting_.end(), handshake);
  }
  void Leave(Place place) { waiting_.erase(place); }
  // Whether a handshake may go on now. Who may not is asked again in the next round: its socket is
  // still readable.
  bool Take(TimePoint round) {
    if (round == round_) return false;
    round_ = round;
    return true;
  }
  size_t count() const { return waiting_.size(); }

 private:
  const size_t max_handshakes_;
  std::list<TlsHandshake*> waiting_;  // the oldest first
  TimePoint round_ = kNoDeadline;     // that had its handshake
};

}  // namespace pt::net
