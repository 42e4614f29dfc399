// PollPolicy: decides, for one model of a watched repository, when what is on disk is loaded or
// unloaded: only when it has been still for the settle window, and after a failure only with
// back-off. Pure: looks and times in, one decision out.
//
// Thread rule: belongs to its thread.
#pragma once

#include <chrono>
#include <optional>

#include "base/clock.h"
#include "repo/fingerprint.h"

namespace pt::repo {

struct PollTiming {
  Duration settle = std::chrono::seconds(1);
  Duration first_retry = std::chrono::seconds(15);  // doubles with each failure ...
  Duration last_retry = std::chrono::minutes(5);    // ... up to this
};

enum class PollAction { kNothing, kLoad, kUnload };

struct PollDecision {
  PollAction action = PollAction::kNothing;
  TimePoint look_again = kNoDeadline;  // when time alone may change the decision
};

class PollPolicy {
 public:
  explicit PollPolicy(PollTiming timing) : timing_(timing) {}

  // The model is there. `is_old`: nothing in it is younger than the settle window, by the file
  // system's clock; counts at first sight only, so that a start doesn't wait for every model.
  PollDecision Seen(const Fingerprint& look, bool is_old, TimePoint now);
  // Its directory is not there (in a repository that could be read).
  PollDecision Missing(TimePoint now);

  // How the load or unload ended that was decided last; nothing is decided before.
  void Loaded(const Fingerprint& tree);
  void Failed(const Fingerprint& tree, TimePoint now);
  void Changed();  // the files changed meanwhile: everything begins anew
  void Unloaded();

  // What was seen last is what serves.
  bool is_applied() const { return seen_.has_value() && seen_ == applied_; }
  // The tree that a decided load is for.
  const Fingerprint& settled() const { return *seen_; }

 private:
  const PollTiming timing_;
  bool is_under_way_ = false;
  bool was_seen_ = false;
  std::optional<Fingerprint> seen_;
  TimePoint since_;
  std::optional<Fingerprint> applied_;
  std::optional<TimePoint> missing_since_;
  int failures_ = 0;
  TimePoint retry_at_;
};

}  // namespace pt::repo
