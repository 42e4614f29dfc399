// Message: a long byte string described as pieces, each a short block repeated to some length.
//
// A 16 MB tensor is a 64 KB block repeated, so that sending and comparing it reads memory that
// stays in the cache. Values of requests and of right answers are both Messages.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace pt::load {

class Message {
 public:
  Message() = default;
  Message(Message&&) = default;
  Message& operator=(Message&&) = default;

  // Adds bytes, which are copied.
  void AddLiteral(std::string_view bytes);
  // Adds `size` bytes: `block` again and again. `block` is borrowed for the Message's life.
  void AddRepeated(std::string_view block, size_t size);
  // Turns a short message into one literal, which sends and compares fastest.
  void Compact();

  size_t size() const { return size_; }

  // Appends what covers [offset, offset + length). The views live as long as the Message.
  // REQUIRES: offset + length <= size().
  void AppendTo(std::vector<iovec>& out, size_t offset, size_t length) const;
  // The bytes of [offset, offset + length). REQUIRES: offset + length <= size().
  std::string Copy(size_t offset, size_t length) const;
  // Whether `bytes` are this message's bytes from `offset` on.
  bool Matches(size_t offset, std::string_view bytes) const;

 private:
  struct Piece {
    const char* block;
    size_t block_size;
    size_t size;
  };

  // Calls visit(pointer, length) for each contiguous run of [offset, offset + length) until it
  // returns false; whether it never did.
  template <typename Visit>
  bool ForEachRun(size_t offset, size_t length, Visit visit) const;

  std::vector<Piece> pieces_;
  std::vector<std::unique_ptr<std::string>> literals_;  // pieces_ point into them
  size_t size_ = 0;
};

}  // namespace pt::load
