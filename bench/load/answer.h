// AnswerBook and AnswerCheck: whether an answer's tensors are the right ones, byte for byte.
//
// The first answer is parsed and verified in full; that gives the bytes every later one should
// have, and those are compared as they arrive. One that differs is parsed and verified again.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "load/json.h"
#include "load/message.h"
#include "load/number_window.h"
#include "load/options.h"
#include "load/workload.h"

namespace pt::load {

// What a right answer looks like. One a run; borrowed by all checks.
class AnswerBook {
 public:
  // Borrows `workload`.
  AnswerBook(const Options& options, const Workload* workload);

  // Opens the file of --number, where one was given. Errors: as NumberWindow::Open.
  Status OpenWindow(const Options& options);

  bool is_checking() const { return is_checking_; }
  // What a request that starts now may be answered with at the least.
  int64_t LowestNumber() const { return window_.is_open() ? window_.lowest() : 0; }
  // Whether the number of the answer that was verified last may answer a request from `lowest` on.
  Status CheckNumber(int64_t lowest) const;
  // The bytes of the last answer that was verified; empty before the first.
  const Message& known() const { return known_; }
  size_t known_json_bytes() const { return known_json_bytes_; }

  // Verifies a whole answer and remembers it. `json_bytes`: length of the JSON before the tensors,
  // http only. Internal says what was expected and what came.
  Status Verify(std::string_view answer, size_t json_bytes);

 private:
  // Where an output's bytes are in the answer.
  struct Found {
    size_t output = 0;
    size_t offset = 0;
  };

  Status FindInHttp(std::string_view answer, size_t json_bytes, std::vector<Found>* found);
  Status FindInGrpc(std::string_view answer, std::vector<Found>* found) const;
  Status ReadNumber(const JsonValue& answer);
  Status CheckTensors(std::string_view answer, const std::vector<Found>& found) const;
  Result<size_t> OutputIndex(std::string_view name) const;

  const Workload* workload_;
  Protocol protocol_;
  bool is_checking_;
  NumberWindow window_;
  std::string number_name_;
  int64_t number_ = 0;  // of the last answer that was verified
  Message known_;
  size_t known_json_bytes_ = 0;
};

// One answer on its way in.
class AnswerCheck {
 public:
  // A request starts: forgets the last answer.
  void Start(const AnswerBook& book) {
    lowest_ = book.LowestNumber();
    matched_ = 0;
    is_different_ = false;
  }
  // The next bytes of the answer's body.
  void Feed(AnswerBook& book, std::string_view bytes);
  // The answer is complete. Internal where it is not right.
  Status Finish(AnswerBook& book, size_t json_bytes);

 private:
  Status FinishBytes(AnswerBook& book, size_t json_bytes);

  int64_t lowest_ = 0;  // the number that may answer, at the least
  size_t matched_ = 0;  // bytes equal to book.known()
  bool is_different_ = false;
  std::string bytes_;  // all bytes so far, once the answer differs
};

}  // namespace pt::load
