#include "load/message.h"

#include <algorithm>
#include <cstring>

namespace pt::load {
namespace {
constexpr size_t kCompactBytes = 16 * 1024;
}  // namespace

template <typename Visit>
bool Message::ForEachRun(size_t offset, size_t length, Visit visit) const {
  for (const Piece& piece : pieces_) {
    if (length == 0) return true;
    if (offset >= piece.size) {
      offset -= piece.size;
      continue;
    }
    while (length > 0 && offset < piece.size) {
      size_t within = offset % piece.block_size;
      size_t run = std::min({length, piece.block_size - within, piece.size - offset});
      if (!visit(piece.block + within, run)) return false;
      offset += run;
      length -= run;
    }
    offset = 0;
  }
  return true;
}

void Message::AddLiteral(std::string_view bytes) {
  if (bytes.empty()) return;
  literals_.push_back(std::make_unique<std::string>(bytes));
  const std::string& kept = *literals_.back();
  pieces_.push_back({kept.data(), kept.size(), kept.size()});
  size_ += kept.size();
}

void Message::AddRepeated(std::string_view block, size_t size) {
  if (size == 0) return;
  pieces_.push_back({block.data(), block.size(), size});
  size_ += size;
}

void Message::Compact() {
  if (size_ > kCompactBytes || pieces_.size() < 2) return;
  Message flat;
  flat.AddLiteral(Copy(0, size_));
  *this = std::move(flat);
}

void Message::AppendTo(std::vector<iovec>& out, size_t offset, size_t length) const {
  ForEachRun(offset, length, [&out](const char* data, size_t size) {
    out.push_back({const_cast<char*>(data), size});
    return true;
  });
}

std::string Message::Copy(size_t offset, size_t length) const {
  std::string bytes;
  bytes.reserve(length);
  ForEachRun(offset, length, [&bytes](const char* data, size_t size) {
    bytes.append(data, size);
    return true;
  });
  return bytes;
}

bool Message::Matches(size_t offset, std::string_view bytes) const {
  if (bytes.size() > size_ - std::min(offset, size_)) return false;
  const char* at = bytes.data();
  return ForEachRun(offset, bytes.size(), [&at](const char* data, size_t size) {
    bool is_same = std::memcmp(at, data, size) == 0;
    at += size;
    return is_same;
  });
}

}  // namespace pt::load
