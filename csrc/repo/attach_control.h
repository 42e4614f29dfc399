// AttachControl: lets other processes attach models through the repository's load call, in any
// control mode, and hands everything else on to the model repositories, if there are any.
//
// A load whose configuration names the backend "pytriton_remote" becomes an Ask, and so does an
// unload of a name that was attached by one. Who carries asks out takes them with Next and answers
// each. What it means to attach is not known here (pytriton/_remote_models.py).
//
// Thread rule: thread-safe; only Next blocks. Answers run without a lock, on the thread of Answer
// or Close. Owner rule: borrows the inner control, which outlives it.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "repo/model_control.h"

namespace pt::repo {

inline constexpr std::string_view kRemoteBackend = "pytriton_remote";

class AttachControl final : public ModelControl {
 public:
  enum class Kind { kAttach, kDetach };
  struct Ask {
    uint64_t id = 0;
    Kind kind = Kind::kAttach;
    std::string name;
    std::string config;  // JSON, unchecked but for its backend; empty in kDetach
  };

  // `inner`: null when there are no model repositories.
  explicit AttachControl(ModelControl* inner) : inner_(inner) {}
  ~AttachControl() override { Close(); }

  // The next ask; waits for one. Nothing: closed.
  std::optional<Ask> Next() EXCLUDES(mu_);
  // Answers the client of that ask, once.
  void Answer(uint64_t id, const Status& status) EXCLUDES(mu_);
  // The models of that name have gone without an ask.
  void Forget(const std::string& name) EXCLUDES(mu_);
  // Refuses what waits and what comes: Unavailable. Idempotent.
  void Close() EXCLUDES(mu_);

  void Load(LoadRequest request, LoadDone done) override EXCLUDES(mu_);
  void Unload(const std::string& name, UnloadDone done) override EXCLUDES(mu_);
  void Refresh(LoadDone done) override;
  void CompleteIndex(std::vector<IndexEntry>* index) const override;
  bool HasStarted() const override { return inner_ == nullptr || inner_->HasStarted(); }
  bool HasMissing() const override { return inner_ != nullptr && inner_->HasMissing(); }
  ControlMetrics metrics() const override;

 private:
  struct Waiting {
    std::string name;
    LoadDone attached;    // one of the two
    UnloadDone detached;  //
    void Answer(const Status& status) const;
  };

  bool EnqueueLocked(Ask ask, Waiting waiting) REQUIRES(mu_);

  ModelControl* const inner_;
  Mutex mu_;
  CondVar news_;
  std::deque<Ask> asks_ GUARDED_BY(mu_);
  std::map<uint64_t, Waiting> waiting_ GUARDED_BY(mu_);  // by id, until answered
  std::set<std::string> attached_ GUARDED_BY(mu_);
  uint64_t last_id_ GUARDED_BY(mu_) = 0;
  bool is_closed_ GUARDED_BY(mu_) = false;
};

}  // namespace pt::repo
