// ReadResult: what one read of a socket has given.
//
// Thread rule: a value.
#pragma once

#include <cstddef>

namespace pt::net {

enum class ReadState { kData, kWouldBlock, kEof, kBroken };

struct ReadResult {
  ReadState state = ReadState::kWouldBlock;
  size_t count = 0;
};

}  // namespace pt::net
