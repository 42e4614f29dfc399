#include "net/stream.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "net/tls_channel.h"

namespace pt::net {
namespace {

// Pieces a sendmsg gathers. More come with the next call; few answers have so many large slices.
constexpr size_t kMaxPieces = 64;
// An out buffer that grew larger than this is given back once it is sent.
constexpr size_t kKeepBuffer = 32 << 10;
// A queue that never runs empty drops its sent front when it has grown to this.
constexpr size_t kCompactBytes = 256 << 10;
constexpr size_t kCompactPieces = 256;

}  // namespace

Stream::Stream(Loop* loop, int fd, StreamHandler* handler)
    : loop_(loop), fd_(fd), handler_(handler) {}

Stream::~Stream() {
  if (fd_ >= 0) Close();
}

Status Stream::Open() {
  interest_ = EPOLLIN;
  Status status = loop_->Watch(fd_, interest_, this);
  if (!status.ok()) {
    close(fd_);
    fd_ = -1;
  }
  return status;
}

void Stream::Close() {
  if (fd_ < 0) return;
  if (tls_ != nullptr) EndTls();
  loop_->Unwatch(fd_, this);
  close(fd_);
  fd_ = -1;
  pieces_.clear();
  first_piece_ = 0;
  copy_buffer_ = {};
  copy_sent_ = 0;
  queued_ = 0;
}

ReadResult Stream::Read(char* data, size_t size) {
  if (fd_ < 0) return {ReadState::kBroken, 0};
  if (tls_ != nullptr) [[unlikely]]
    return ReadTls(data, size);
  ssize_t got;
  do {
    got = recv(fd_, data, size, 0);
  } while (got < 0 && errno == EINTR);
  if (got > 0) return {ReadState::kData, static_cast<size_t>(got)};
  if (got == 0) return {ReadState::kEof, 0};
  if (errno == EAGAIN || errno == EWOULDBLOCK) return {ReadState::kWouldBlock, 0};
  return {ReadState::kBroken, 0};
}

void Stream::AwaitBytes(size_t count) {
  if (count <= 1) awaits_parts_ = false;
  if (count > kMostAwaited) awaits_parts_ = true;
  // A quarter, so that the last part, which is read while nobody sends, is a small one.
  const size_t part = std::clamp(count / 4, kLeastPart, kMostAwaited);
  const size_t wanted = std::max<size_t>(awaits_parts_ ? std::min(part, count) : count, 1);
  if (wanted == awaited_ || fd_ < 0 || tls_ != nullptr) return;
  awaited_ = wanted;
  const int mark = static_cast<int>(wanted);
  setsockopt(fd_, SOL_SOCKET, SO_RCVLOWAT, &mark, sizeof(mark));
}

void Stream::PauseReading() {
  is_paused_ = true;
  UpdateInterest();
}

void Stream::ResumeReading() {
  is_paused_ = false;
  UpdateInterest();
  if (tls_ != nullptr) [[unlikely]]
    ReadRestLater();
}

void Stream::UpdateInterest() {
  if (fd_ < 0) return;
  uint32_t wanted = 0;
  const bool reads = !is_paused_ && (tls_ == nullptr || !tls_->reads_when_writable());
  if (reads) wanted |= EPOLLIN;
  if (wants_write_) wanted |= EPOLLOUT;
  if (wanted == interest_) return;
  interest_ = wanted;
  loop_->Rewatch(fd_, wanted, this);
}

void Stream::AddCopied(size_t count) {
  if (first_piece_ < pieces_.size() && pieces_.back().is_copied) {
    pieces_.back().slice.size += count;
  } else {
    pieces_.push_back({Slice(nullptr, nullptr, count), true});
  }
  queued_ += count;
}

void Stream::Write(std::string_view bytes) {
  if (fd_ < 0 || bytes.empty()) return;
  copy_buffer_.append(bytes);
  AddCopied(bytes.size());
}

void Stream::Write(Slice bytes) {
  if (fd_ < 0 || bytes.empty()) return;
  if (bytes.size <= kCopyLimit) {
    Write(bytes.view());
    return;
  }
  queued_ += bytes.size;
  pieces_.push_back({std::move(bytes), false});
}

char* Stream::ReserveWrite(size_t size) {
  copy_buffer_.resize(copy_buffer_.size() + size);
  reserved_ = size;
  return copy_buffer_.data() + copy_buffer_.size() - size;
}

void Stream::CommitWrite(size_t used) {
  copy_buffer_.resize(copy_buffer_.size() - reserved_ + (fd_ < 0 ? 0 : used));
  reserved_ = 0;
  if (fd_ >= 0 && used > 0) AddCopied(used);
}

void Stream::Flush() {
  if (queued_ >= kHighMark) was_congested_ = true;
  // While EPOLLOUT is armed the kernel has no room; its event goes on.
  while (queued_ > 0 && !wants_write_ && fd_ >= 0) {
    if (SendSome() == 0) break;
  }
  UpdateInterest();
  if (fd_ >= 0 && was_congested_ && queued_ < kLowMark) {
    was_congested_ = false;
    handler_->OnDrained();
  }
}

// One sendmsg. Returns the bytes sent; 0: no more now (EPOLLOUT wanted, or the stream broke).
size_t Stream::SendSome() {
  if (tls_ != nullptr) [[unlikely]]
    return SendRecord();
  std::array<iovec, kMaxPieces> parts;
  size_t count = 0;
  size_t total = 0;
  char* copied = copy_buffer_.data() + copy_sent_;
  for (size_t i = first_piece_; i < pieces_.size() && count < kMaxPieces; ++i) {
    const Slice& slice = pieces_[i].slice;
    char* const data = pieces_[i].is_copied ? copied : const_cast<char*>(slice.data);
    if (pieces_[i].is_copied) copied += slice.size;
    parts[count++] = {data, slice.size};
    total += slice.size;
  }
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = count;
  ssize_t sent;
  do {
    sent = sendmsg(fd_, &message, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
    Break();
    return 0;
  }
  const size_t done = sent > 0 ? static_cast<size_t>(sent) : 0;
  Sent(done);
  wants_write_ = done < total;
  return wants_write_ ? 0 : done;
}

void Stream::Sent(size_t count) {
  queued_ -= count;
  sent_total_ += count;
  while (count > 0) {
    Piece& piece = pieces_[first_piece_];
    const size_t part = std::min(count, piece.slice.size);
    if (piece.is_copied) {
      copy_sent_ += part;
    } else {
      piece.slice.data += part;
    }
    piece.slice.size -= part;
    count -= part;
    if (piece.slice.size > 0) break;
    piece.slice.owner.Reset();
    ++first_piece_;
  }
  if (queued_ == 0) return ForgetAll();
  if (copy_sent_ >= kCompactBytes) {
    copy_buffer_.erase(0, copy_sent_);
    copy_sent_ = 0;
  }
  if (first_piece_ >= kCompactPieces) {
    pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<ptrdiff_t>(first_piece_));
    first_piece_ = 0;
  }
}

void Stream::ForgetAll() {
  pieces_.clear();
  first_piece_ = 0;
  copy_sent_ = 0;
  if (copy_buffer_.capacity() > kKeepBuffer) {
    copy_buffer_ = {};
  } else {
    copy_buffer_.clear();
  }
}

void Stream::ShutdownWrite() {
  if (fd_ < 0) return;
  if (tls_ != nullptr && !is_ending_tls_) {
    is_ending_tls_ = tls_->is_established() && tls_->Shutdown() == TlsState::kWantsWrite;
    wants_write_ = wants_write_ || is_ending_tls_;
    UpdateInterest();
  }
  if (!is_ending_tls_) shutdown(fd_, SHUT_WR);
}

void Stream::OnEvents(uint32_t epoll_events) {
  if (tls_ != nullptr) [[unlikely]]
    return OnTlsEvents(epoll_events);
  if ((epoll_events & EPOLLOUT) != 0 && wants_write_) {
    wants_write_ = false;
    handler_->OnWritable();
  }
  // What arrived before a hang-up is still read.
  if ((epoll_events & EPOLLIN) != 0 && !is_paused_ && fd_ >= 0) handler_->OnReadable();
  if ((epoll_events & (EPOLLERR | EPOLLHUP)) != 0 && fd_ >= 0) Break();
}

void Stream::Break() {
  if (is_broken_) return;
  is_broken_ = true;
  handler_->OnBroken();
}

std::string Stream::PeerName() const {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (fd_ < 0 || getpeername(fd_, reinterpret_cast<sockaddr*>(&address), &size) != 0) return "gone";
  char text[INET6_ADDRSTRLEN] = {};
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    inet_ntop(AF_INET, &v4.sin_addr, text, sizeof(text));
    return std::string(text) + ":" + std::to_string(ntohs(v4.sin_port));
  }
  if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof(text));
    return "[" + std::string(text) + "]:" + std::to_string(ntohs(v6.sin6_port));
  }
  return "unix";
}

}  // namespace pt::net
