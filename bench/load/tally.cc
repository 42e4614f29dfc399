#include "load/tally.h"

namespace pt::load {

void Tally::Add(const Ending& ending) {
  ++ended;
  bool is_counted = ending.ended_ns >= begin_ns && ending.ended_ns < end_ns;
  if (ending.outcome != Outcome::kRight && first_reason.empty()) first_reason = *ending.reason;
  // A wrong answer counts whenever it comes.
  if (!is_counted && ending.outcome != Outcome::kWrong) return;
  switch (ending.outcome) {
    case Outcome::kRight:
      ++right;
      latency.Add(ending.ended_ns - ending.started_ns);
      break;
    case Outcome::kRefused:
      ++refused;
      break;
    case Outcome::kWrong:
      ++wrong;
      break;
    case Outcome::kFailed:
      ++failed;
      break;
  }
}

}  // namespace pt::load
