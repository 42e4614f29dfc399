// JsonScanner: the tolerant JSON reader behind JsonDocument: for texts that simdjson refuses. It
// accepts what Triton's reader accepts beyond the standard (NaN, Infinity, Inf, integers beyond 64
// bits as doubles, a byte order mark, any bytes in strings) and names the reason for what it does
// not.
//
// Writes simdjson's tape (doc/tape.md), so that readers need not know which of the two has read.
// Thread rule: belongs to its thread. Owner rule: borrows the text and the two buffers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace pt::wire {

class JsonScanner {
 public:
  // `tape` has room for size + 3 words, `strings` for 5/3 size + 64 bytes: no text needs more.
  JsonScanner(std::string_view text, int max_depth, uint64_t* tape, uint8_t* strings)
      : text_(text), max_depth_(max_depth), tape_(tape), strings_(strings) {}

  // Errors: InvalidArgument "failed to parse the request JSON buffer: REASON at OFFSET, in PATH".
  Status Scan();

 private:
  struct Frame {
    size_t start = 0;    // tape index of the opening bracket
    uint32_t count = 0;  // elements or members begun
    bool is_array = false;
    std::string_view key;  // of the member under way
  };
  enum class Step { kValue, kAfterValue, kDone };

  Step Value();
  Step AfterValue();
  Step Open(char bracket);
  Step Close();
  Step MemberName();
  bool Number();
  bool NumberBody(size_t first);
  bool Special(bool is_negative);
  bool Word(std::string_view word, char tag);
  bool String(std::string_view* content);
  bool Escape();
  bool UnicodeEscape();
  bool Hex4(uint32_t* code);
  void AppendUtf8(uint32_t code);

  void Blank();
  char Peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool Fail(const char* reason, size_t offset);
  Step Stop(const char* reason, size_t offset);
  void PutDouble(double value);
  void PutWord(char tag, uint64_t payload) {
    tape_[used_++] = (uint64_t{uint8_t(tag)} << 56) | payload;
  }
  std::string Path() const;

  const std::string_view text_;
  const int max_depth_;
  uint64_t* const tape_;
  uint8_t* const strings_;
  size_t at_ = 0;
  size_t used_ = 0;
  size_t strings_used_ = 0;
  std::vector<Frame> frames_;
  Status error_;
};

}  // namespace pt::wire
