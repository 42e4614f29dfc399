#include "load/runner.h"

#include <sys/resource.h>
#include <time.h>

#include <algorithm>

#include "load/clock.h"

namespace pt::load {
namespace {

constexpr size_t kReceiveBytes = 256 * 1024;
constexpr size_t kIdle = SIZE_MAX;  // index of sessions that are not active
constexpr int64_t kHopeless = 10000;
constexpr int64_t kRetryNs = 1'000'000;

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void SleepNs(int64_t ns) {
  timespec time{0, ns};
  nanosleep(&time, nullptr);
}

}  // namespace

Runner::Runner(const Options* options)
    : options_(options),
      workload_(*options),
      request_(BuildRequest(*options, workload_)),
      book_(*options, &workload_),
      shared_{options, &request_, &book_, this, std::string(kReceiveBytes, '\0')} {}

Runner::~Runner() = default;

Result<Tally> Runner::Run() {
  PT_RETURN_IF_ERROR(book_.OpenWindow(*options_));
  last_end_ns_ = NowNs();
  Status status = options_->first_answer_s > 0 ? RunFirstAnswer() : RunLoad();
  if (!status.ok()) return status;
  return std::move(tally_);
}

void Runner::OnEnded(Session& session, const Ending& ending) {
  tally_.Add(ending);
  --in_flight_;
  last_end_ns_ = ending.ended_ns;
  last_outcome_ = ending.outcome;
  if (session.index == kIdle) return;
  if (is_starting_ && options_->rate == 0 && session.CanStart()) {
    session.Start(ending.ended_ns);
    ++in_flight_;
  } else {
    free_slots_.push_back(session.index);
  }
  MarkDirty(session);
}

void Runner::MarkDirty(Session& session) {
  if (session.is_dirty) return;
  session.is_dirty = true;
  dirty_.push_back(&session);
}

Result<std::unique_ptr<Session>> Runner::OpenOne(size_t index) {
  PT_ASSIGN_OR_RETURN(std::unique_ptr<Session> session, Session::Open(&shared_));
  session->index = index;
  poller_.Add(*session);
  return session;
}

Status Runner::OpenActive() {
  bool is_grpc = options_->protocol == Protocol::kGrpc;
  int64_t count = is_grpc ? options_->connections : options_->concurrency;
  for (int64_t i = 0; i < count; ++i) {
    PT_ASSIGN_OR_RETURN(std::unique_ptr<Session> session, OpenOne(active_.size()));
    active_.push_back(std::move(session));
  }
  for (int64_t i = 0; i < options_->concurrency; ++i) {
    free_slots_.push_back(static_cast<size_t>(i % count));
  }
  return {};
}

Status Runner::OpenIdle() {
  for (int64_t i = 0; i < options_->idle_connections; ++i) {
    PT_ASSIGN_OR_RETURN(std::unique_ptr<Session> session, OpenOne(kIdle));
    session->Start(NowNs());
    ++in_flight_;
    MarkDirty(*session);
    idle_.push_back(std::move(session));
    PT_RETURN_IF_ERROR(Drain());
    if (last_outcome_ != Outcome::kRight) {
      return Unavailable("idle connection: " + tally_.first_reason);
    }
  }
  return {};
}

void Runner::DropActive(int64_t round) {
  tally_.vanished += in_flight_;
  ++tally_.vanish_rounds;
  in_flight_ = 0;
  free_slots_.clear();
  dirty_.clear();
  for (auto& session : active_) {
    // Clients leave in both ways: with a reset and with an orderly end.
    if (round % 2 == 1) session->socket().ResetOnClose();
  }
  active_.clear();
}

void Runner::StartFree(int64_t now) {
  bool is_open = options_->rate > 0;
  size_t tries = free_slots_.size();
  while (tries-- > 0) {
    if (is_open && due_ns_ > static_cast<double>(now)) return;
    size_t slot = free_slots_.front();
    free_slots_.pop_front();
    Session& session = *active_[slot];
    if (!session.CanStart()) {
      free_slots_.push_back(slot);
      continue;
    }
    session.Start(is_open ? static_cast<int64_t>(due_ns_) : now);
    ++in_flight_;
    MarkDirty(session);
    if (is_open) due_ns_ += 1e9 / options_->rate;
  }
}

void Runner::FlushDirty() {
  for (Session* session : dirty_) {
    if (session->is_broken()) continue;
    session->Flush();
    poller_.UpdateWrite(*session);
    session->is_dirty = false;
  }
  std::erase_if(dirty_, [](const Session* session) { return !session->is_broken(); });
}

Status Runner::ReplaceBroken() {
  std::vector<Session*> broken;
  broken.swap(dirty_);
  for (Session* session : broken) {
    if (session->index == kIdle) {
      ++tally_.idle_closed;
      std::erase_if(idle_, [session](const auto& one) { return one.get() == session; });
      continue;
    }
    ++tally_.reconnects;
    PT_ASSIGN_OR_RETURN(active_[session->index], OpenOne(session->index));
  }
  return {};
}

Status Runner::CheckProgress(int64_t now) const {
  if (in_flight_ > 0 && now - last_end_ns_ > NsOf(options_->timeout_s)) {
    return {Code::kDeadlineExceeded, "no answer for " + std::to_string(options_->timeout_s) +
                                         " s, " + std::to_string(in_flight_) + " requests wait"};
  }
  if (tally_.ended > kHopeless && tally_.failed + tally_.wrong == tally_.ended) {
    return Unavailable("every request failed: " + tally_.first_reason);
  }
  return {};
}

Status Runner::Turn(int64_t now, int64_t wake_ns) {
  if (is_starting_ && !free_slots_.empty()) StartFree(now);
  FlushDirty();
  if (!dirty_.empty()) PT_RETURN_IF_ERROR(ReplaceBroken());
  if (is_starting_ && options_->rate > 0 && !free_slots_.empty()) {
    wake_ns = std::min(wake_ns, static_cast<int64_t>(due_ns_));
  }
  poller_.Wait(wake_ns, [this](Session& session) {
    session.OnReadable();
    MarkDirty(session);
  });
  return {};
}

Status Runner::RunUntil(int64_t end_ns) {
  for (int64_t now = NowNs(); now < end_ns; now = NowNs()) {
    PT_RETURN_IF_ERROR(CheckProgress(now));
    int64_t silence_end = last_end_ns_ + NsOf(options_->timeout_s) + kRetryNs;
    PT_RETURN_IF_ERROR(Turn(now, in_flight_ > 0 ? std::min(end_ns, silence_end) : end_ns));
  }
  return {};
}

Status Runner::Drain() {
  while (in_flight_ > 0) {
    int64_t now = NowNs();
    PT_RETURN_IF_ERROR(CheckProgress(now));
    PT_RETURN_IF_ERROR(Turn(now, last_end_ns_ + NsOf(options_->timeout_s) + kRetryNs));
  }
  return {};
}

Status Runner::RunLoad() {
  PT_RETURN_IF_ERROR(OpenIdle());
  if (options_->vanish_after_ms > 0) return RunVanishing();
  PT_RETURN_IF_ERROR(OpenActive());
  last_end_ns_ = NowNs();
  tally_.begin_ns = last_end_ns_ + NsOf(options_->warmup_s);
  tally_.end_ns = tally_.begin_ns + NsOf(options_->duration_s);
  due_ns_ = static_cast<double>(last_end_ns_);
  is_starting_ = true;
  StartFree(last_end_ns_);
  if (options_->rate == 0 && in_flight_ < options_->concurrency) {
    return InvalidArgument("the server takes only " + std::to_string(in_flight_) + " requests on " +
                           std::to_string(active_.size()) +
                           " connections; give more --connections");
  }
  PT_RETURN_IF_ERROR(RunUntil(tally_.begin_ns));
  double cpu_before = CpuSeconds();
  PT_RETURN_IF_ERROR(RunUntil(tally_.end_ns));
  tally_.cpu_seconds = CpuSeconds() - cpu_before;
  is_starting_ = false;
  if (options_->rate > 0) {
    double late_ns = static_cast<double>(tally_.end_ns) - due_ns_;
    tally_.not_started = std::max<int64_t>(0, static_cast<int64_t>(late_ns * options_->rate / 1e9));
  }
  return Drain();
}

Status Runner::RunVanishing() {
  double cpu_before = CpuSeconds();
  tally_.begin_ns = NowNs();
  tally_.end_ns = tally_.begin_ns + NsOf(options_->duration_s);
  while (NowNs() < tally_.end_ns) {
    is_starting_ = true;
    PT_RETURN_IF_ERROR(OpenActive());
    last_end_ns_ = NowNs();
    PT_RETURN_IF_ERROR(RunUntil(last_end_ns_ + NsOf(options_->vanish_after_ms / 1e3)));
    FlushDirty();
    DropActive(tally_.vanish_rounds);
  }
  tally_.cpu_seconds = CpuSeconds() - cpu_before;
  tally_.end_ns = NowNs();
  is_starting_ = false;
  return CheckStillRight();
}

Status Runner::CheckStillRight() {
  int64_t end_ns = NowNs() + NsOf(options_->timeout_s);
  PT_ASSIGN_OR_RETURN(std::unique_ptr<Session> session, OpenOne(kIdle));
  do {
    last_end_ns_ = NowNs();
    session->Start(last_end_ns_);
    ++in_flight_;
    MarkDirty(*session);
    PT_RETURN_IF_ERROR(Drain());
    // Its queue may still hold what the others left behind.
  } while (last_outcome_ == Outcome::kRefused && session->CanStart() && NowNs() < end_ns);
  if (last_outcome_ == Outcome::kRight) return {};
  return Internal("after clients vanished: " + tally_.first_reason);
}

Status Runner::RunFirstAnswer() {
  tally_.begin_ns = NowNs();
  int64_t end_ns = tally_.begin_ns + NsOf(options_->first_answer_s);
  std::string reason = "no time";
  tally_.end_ns = end_ns;
  while (NowNs() < end_ns) {
    last_end_ns_ = NowNs();
    dirty_.clear();
    idle_.clear();
    in_flight_ = 0;
    Result<std::unique_ptr<Session>> session = OpenOne(kIdle);
    if (session.ok()) {
      idle_.push_back(std::move(session).value());
      tally_.first_reason.clear();
      idle_.back()->Start(NowNs());
      ++in_flight_;
      MarkDirty(*idle_.back());
      Status status = Drain();
      if (status.ok() && last_outcome_ == Outcome::kRight) {
        int64_t begin_ns = tally_.begin_ns;
        tally_ = Tally();  // what failed before was to be expected
        tally_.right = tally_.ended = 1;
        tally_.begin_ns = begin_ns;
        tally_.end_ns = tally_.first_answer_ns = last_end_ns_;
        return {};
      }
      reason = status.ok() ? tally_.first_reason : status.message();
    } else {
      reason = session.status().message();
    }
    SleepNs(kRetryNs);
  }
  return Unavailable("no right answer in time: " + reason);
}

}  // namespace pt::load
