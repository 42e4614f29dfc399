// OutQueue: the bytes a connection still has to send, copied or borrowed, in order.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "load/message.h"

namespace pt::load {

class OutQueue {
 public:
  // Copies `bytes`.
  void Add(std::string_view bytes);
  // Borrows the bytes of [offset, offset + length) until they are sent.
  void AddBorrowed(const Message& message, size_t offset, size_t length);

  bool empty() const { return sent_pieces_ == pieces_.size(); }
  // Sends as much as the socket takes; false where the connection is broken.
  bool Flush(int fd);

 private:
  struct Piece {
    const char* borrowed;  // nullptr: copied_ from `offset` on
    size_t offset;
    size_t size;
  };

  void Drop(size_t size);
  ssize_t SendSome(int fd);

  std::string copied_;
  std::vector<Piece> pieces_;
  size_t sent_pieces_ = 0;
  std::vector<iovec> iovecs_;  // kept for its memory
};

}  // namespace pt::load
