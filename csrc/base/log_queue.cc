#include "base/log_queue.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace pt {
namespace {

// How long lines may gather under load: 20 wake-ups a second cost nothing, and nobody reads faster.
constexpr std::chrono::milliseconds kGather{50};
// Bounds memory when lines are long: a line of a Python traceback has tens of kilobytes.
constexpr size_t kMaxQueuedBytes = size_t{8} << 20;
constexpr size_t kMaxText = size_t{64} << 10;

struct Header {
  std::chrono::system_clock::time_point time;
  LogLevel level;
  uint32_t where;
  uint32_t request_id;
  uint32_t message;

  size_t size() const { return sizeof(Header) + where + request_id + message; }
};

Header ReadHeader(const std::string& bytes, size_t at) {
  Header header;
  std::memcpy(&header, bytes.data() + at, sizeof header);
  return header;
}

uint32_t CutSize(std::string_view text) {
  return static_cast<uint32_t>(std::min(text.size(), kMaxText));
}

}  // namespace

bool LogBatch::Next(LogLine* line) {
  if (at_ == bytes_.size()) return false;
  const Header header = ReadHeader(bytes_, at_);
  std::string_view text(bytes_.data() + at_ + sizeof header, header.size() - sizeof header);
  line->time = header.time;
  line->level = header.level;
  line->where = text.substr(0, header.where);
  line->request_id = text.substr(header.where, header.request_id);
  line->message = text.substr(header.where + header.request_id);
  at_ += header.size();
  return true;
}

void LogQueue::DropOldest() {
  head_ += ReadHeader(bytes_, head_).size();
  --lines_;
  ++dropped_;
  // Moving what is left once it is the smaller half keeps the cost per line constant.
  if (head_ > bytes_.size() / 2) {
    bytes_.erase(0, head_);
    head_ = 0;
  }
}

void LogQueue::Push(const LogLine& line) {
  const Header header{line.time, line.level, CutSize(line.where), CutSize(line.request_id),
                      CutSize(line.message)};
  bool must_wake = false;
  {
    MutexLock lock(&mu_);
    while (lines_ >= max_lines_ ||
           (lines_ > 0 && bytes_.size() - head_ + header.size() > kMaxQueuedBytes)) {
      DropOldest();
    }
    bytes_.append(reinterpret_cast<const char*>(&header), sizeof header);
    bytes_.append(line.where.substr(0, header.where));
    bytes_.append(line.request_id.substr(0, header.request_id));
    bytes_.append(line.message.substr(0, header.message));
    ++lines_;
    ++pushed_count_;
    const bool is_half_full =
        lines_ >= max_lines_ / 2 || bytes_.size() - head_ >= kMaxQueuedBytes / 2;
    must_wake = is_waiting_ || (is_half_full && !is_urgent_);
    is_urgent_ |= is_half_full;
    is_waiting_ = false;
  }
  if (must_wake) not_empty_.NotifyOne();
}

bool LogQueue::Take(LogBatch* batch) {
  MutexLock lock(&mu_);
  while (!is_urgent_ && !is_closed_ && not_empty_.WaitUntil(&mu_, gather_until_)) {
  }
  while (lines_ == 0 && !is_closed_) {
    is_waiting_ = true;
    not_empty_.Wait(&mu_);
  }
  is_waiting_ = false;
  is_urgent_ = false;
  bytes_.erase(0, head_);
  head_ = 0;
  batch->bytes_.clear();
  batch->bytes_.swap(bytes_);  // the two buffers change places and keep their capacity
  batch->at_ = 0;
  batch->dropped_ = std::exchange(dropped_, 0);
  batch->last_ = pushed_count_;
  const bool has_lines = lines_ > 0;
  lines_ = 0;
  gather_until_ = std::chrono::steady_clock::now() + kGather;
  return has_lines;
}

void LogQueue::MarkWritten(const LogBatch& batch) {
  MutexLock lock(&mu_);
  written_count_ = batch.last_;
  written_.NotifyAll();
}

void LogQueue::Flush() {
  MutexLock lock(&mu_);
  const uint64_t target = pushed_count_;
  if (written_count_ >= target) return;
  is_urgent_ = true;
  not_empty_.NotifyOne();
  while (written_count_ < target) written_.Wait(&mu_);
}

void LogQueue::Close() {
  MutexLock lock(&mu_);
  is_closed_ = true;
  not_empty_.NotifyOne();
}

}  // namespace pt
