// What a Stream does otherwise while it speaks TLS.
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <utility>

#include "net/stream.h"
#include "net/tls_channel.h"

namespace pt::net {
namespace {

// A timer that is due in the next round, and not in this one.
constexpr Duration kNextRound = std::chrono::nanoseconds(1);

}  // namespace

void Stream::Secure(std::unique_ptr<TlsSession> session, TlsTurns* turns) {
  TlsHandshake* const self = this;
  tls_ = std::make_unique<TlsChannel>(std::move(session), turns, self);
}

bool Stream::is_in_handshake() const { return tls_ != nullptr && !tls_->is_established(); }

std::string Stream::TlsFailure() const { return tls_ == nullptr ? "" : tls_->failure(); }

void Stream::GiveUp() {
  tls_->LeaveTurns();
  Break();
}

// Closing without a word would look like an attack that cuts answers off.
void Stream::EndTls() {
  const bool is_well = tls_->is_established() && !is_broken_ && tls_->failure().empty();
  if (is_well && queued_ == 0 && !is_ending_tls_) tls_->Shutdown();
  if (rest_timer_ != 0) loop_->StopTimer(std::exchange(rest_timer_, 0));
  tls_.reset();
}

void Stream::GoOnWithHandshake(uint32_t epoll_events) {
  const bool is_gone = (epoll_events & (EPOLLERR | EPOLLHUP)) != 0;
  if (is_gone && (epoll_events & EPOLLIN) == 0) return Break();
  if (!tls_->TakeTurn(loop_->now())) return;
  const TlsState state = tls_->Shake();
  const bool goes_on = state == TlsState::kWantsRead || state == TlsState::kWantsWrite;
  if (is_gone || (!goes_on && state != TlsState::kDone)) return Break();
  wants_write_ = state == TlsState::kWantsWrite;
  UpdateInterest();
  if (state != TlsState::kDone) return;
  if (queued_ > 0) handler_->OnWritable();
  ReadRestLater();
}

void Stream::OnTlsEvents(uint32_t epoll_events) {
  if (!tls_->is_established()) return GoOnWithHandshake(epoll_events);
  bool is_readable = (epoll_events & EPOLLIN) != 0;
  if ((epoll_events & EPOLLOUT) != 0 && wants_write_) {
    wants_write_ = false;
    is_readable |= tls_->reads_when_writable();
    tls_->set_reads_when_writable(false);
    if (std::exchange(is_ending_tls_, false)) ShutdownWrite();
    handler_->OnWritable();
  }
  if (is_readable && !is_paused_ && fd_ >= 0) handler_->OnReadable();
  if (fd_ >= 0 && tls_->writes_when_readable()) {
    tls_->set_writes_when_readable(false);
    handler_->OnWritable();
  }
  if ((epoll_events & (EPOLLERR | EPOLLHUP)) != 0 && fd_ >= 0) Break();
  if (fd_ < 0) return;
  UpdateInterest();
  ReadRestLater();
}

// The bytes lie in the session: epoll knows nothing of them.
void Stream::ReadRestLater() {
  if (fd_ < 0 || is_paused_ || rest_timer_ != 0 || !tls_->has_more()) return;
  rest_timer_ = loop_->StartTimer(kNextRound, [this] {
    rest_timer_ = 0;
    if (is_paused_) return;
    handler_->OnReadable();
    ReadRestLater();
  });
}

ReadResult Stream::ReadTls(char* data, size_t size) {
  if (!tls_->is_established()) return {ReadState::kWouldBlock, 0};
  const ReadResult result = tls_->Read(data, size);
  if (tls_->reads_when_writable()) {
    wants_write_ = true;
    UpdateInterest();
  }
  return result;
}

// Sends the next record. Returns the plain bytes of it; 0: no more now.
size_t Stream::SendRecord() {
  if (!tls_->is_established()) return 0;
  const Slice& first = pieces_[first_piece_].slice;
  const bool is_copied = pieces_[first_piece_].is_copied;
  std::string_view record(is_copied ? copy_buffer_.data() + copy_sent_ : first.data, first.size);
  std::array<char, TlsChannel::kRecordBytes> gathered;
  if (first.size < gathered.size() && first.size < queued_) {
    // Small pieces share a record: each costs a tenth of what a full one does.
    const char* copied = copy_buffer_.data() + copy_sent_;
    size_t size = 0;
    for (size_t i = first_piece_; i < pieces_.size() && size < gathered.size(); ++i) {
      const Slice& slice = pieces_[i].slice;
      const size_t part = std::min(slice.size, gathered.size() - size);
      std::memcpy(gathered.data() + size, pieces_[i].is_copied ? copied : slice.data, part);
      if (pieces_[i].is_copied) copied += slice.size;
      size += part;
    }
    record = {gathered.data(), size};
  }
  // Never more at once: nothing is asked again that was not asked before, in the same records.
  record = record.substr(0, TlsChannel::kRecordBytes);
  const TlsMore more = record.size() < queued_ ? TlsMore::kYes : TlsMore::kNo;
  const TlsResult result = tls_->Write(record, more);
  if (result.state == TlsState::kDone) {
    Sent(result.count);
    return result.count;
  }
  wants_write_ = result.state == TlsState::kWantsWrite;
  if (!wants_write_ && result.state != TlsState::kWantsRead) Break();
  return 0;
}

}  // namespace pt::net
