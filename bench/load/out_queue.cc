#include "load/out_queue.h"

#include <limits.h>
#include <sys/socket.h>

#include <cerrno>

namespace pt::load {

void OutQueue::Add(std::string_view bytes) {
  size_t offset = copied_.size();
  copied_.append(bytes);
  bool is_next = !empty() && pieces_.back().borrowed == nullptr;
  if (is_next) {
    pieces_.back().size += bytes.size();
  } else {
    pieces_.push_back({nullptr, offset, bytes.size()});
  }
}

void OutQueue::AddBorrowed(const Message& message, size_t offset, size_t length) {
  iovecs_.clear();
  message.AppendTo(iovecs_, offset, length);
  for (const iovec& run : iovecs_) {
    pieces_.push_back({static_cast<const char*>(run.iov_base), 0, run.iov_len});
  }
}

void OutQueue::Drop(size_t size) {
  while (size > 0) {
    Piece& piece = pieces_[sent_pieces_];
    if (size < piece.size) {
      if (piece.borrowed != nullptr) {
        piece.borrowed += size;
      } else {
        piece.offset += size;
      }
      piece.size -= size;
      return;
    }
    size -= piece.size;
    ++sent_pieces_;
  }
  if (!empty()) return;
  pieces_.clear();
  copied_.clear();
  sent_pieces_ = 0;
}

ssize_t OutQueue::SendSome(int fd) {
  const Piece& first = pieces_[sent_pieces_];
  if (sent_pieces_ + 1 == pieces_.size()) {
    const char* data = first.borrowed != nullptr ? first.borrowed : copied_.data() + first.offset;
    return send(fd, data, first.size, MSG_NOSIGNAL);
  }
  iovecs_.clear();
  for (size_t i = sent_pieces_; i < pieces_.size() && iovecs_.size() < IOV_MAX; ++i) {
    const Piece& piece = pieces_[i];
    const char* data = piece.borrowed != nullptr ? piece.borrowed : copied_.data() + piece.offset;
    iovecs_.push_back({const_cast<char*>(data), piece.size});
  }
  msghdr message{};
  message.msg_iov = iovecs_.data();
  message.msg_iovlen = iovecs_.size();
  return sendmsg(fd, &message, MSG_NOSIGNAL);
}

bool OutQueue::Flush(int fd) {
  while (!empty()) {
    ssize_t sent = SendSome(fd);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
    Drop(static_cast<size_t>(sent));
  }
  return true;
}

}  // namespace pt::load
