// Tally: what a run counted and measured. Plain data.
#pragma once

#include <cstdint>
#include <string>

#include "load/histogram.h"
#include "load/session.h"

namespace pt::load {

struct Tally {
  // Requests that ended within the window, by outcome; latency of the right ones.
  int64_t right = 0;
  int64_t refused = 0;
  int64_t wrong = 0;
  int64_t failed = 0;
  Histogram latency;
  std::string first_reason;  // of the first that was not right; empty if all were

  // The window.
  int64_t begin_ns = 0;
  int64_t end_ns = 0;
  double cpu_seconds = 0;  // of this process, in the window

  // Over the whole run.
  int64_t ended = 0;  // requests, warm-up included
  int64_t reconnects = 0;
  int64_t idle_closed = 0;  // idle connections that the server closed
  int64_t not_started = 0;  // open loop: due, but as many as allowed were in flight
  int64_t vanish_rounds = 0;
  int64_t vanished = 0;         // requests under way when their connection was dropped
  int64_t first_answer_ns = 0;  // --first-answer: the clock at the right answer

  // Counts one request.
  void Add(const Ending& ending);
  int64_t Counted() const { return right + refused + wrong + failed; }
  double Seconds() const { return static_cast<double>(end_ns - begin_ns) / 1e9; }
};

}  // namespace pt::load
