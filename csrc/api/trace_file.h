// TraceFile: Triton's trace files (spec/triton-frontend 6.2): each one a JSON array of small
// objects. At any moment between two writes the file is a whole array, whatever ends the server.
//
// Files: PATH; with a log frequency, PATH.0, PATH.1 ... of that many traces each. When a limited
// number of traces is complete, what PATH holds becomes the next of these.
// Thread rule: on the drain's thread. Owner rule: owned by the drain.
#pragma once

#include <string>
#include <string_view>

#include "api/trace_drain.h"
#include "base/unique_fd.h"

namespace pt::api {

// The objects of one trace, divided by commas, without brackets.
std::string TraceToJson(Trace* trace);

class TraceFile final : public TraceSink {
 public:
  TraceFile(std::string path, Logger* logger) : path_(std::move(path)), logger_(logger) {}
  ~TraceFile() override { Close(); }

  void Write(std::vector<std::unique_ptr<Trace>> traces) override;

 private:
  enum class Place { kPlain, kIndexed };

  void WriteOne(Trace* trace);
  bool Open(Place place);
  void Flush();
  void Close();
  // The plain file becomes the next indexed one.
  void Retire();
  void Report(std::string_view what);

  const std::string path_;
  Logger* const logger_;
  UniqueFd fd_;
  Place place_ = Place::kPlain;  // of the file that is open
  std::string open_path_;
  bool was_plain_made_ = false;  // since the last Retire: it is appended to
  uint64_t plain_size_ = 0;
  uint64_t size_ = 0;     // where the closing bracket stands
  uint64_t in_file_ = 0;  // traces, since it was opened
  uint64_t next_index_ = 0;
  std::string pending_;  // of the open file, not yet written
  bool has_reported_ = false;
};

}  // namespace pt::api
