// HttpSession: one keep-alive HTTP/1.1 connection with at most one request under way.
#pragma once

#include "load/http_response.h"
#include "load/out_queue.h"
#include "load/session.h"

namespace pt::load {

class HttpSession final : public Session {
 public:
  HttpSession(Socket socket, SessionShared* shared) : Session(std::move(socket), shared) {}

  bool CanStart() const override { return in_flight_ == 0 && !is_broken_; }
  void Start(int64_t started_ns) override;
  void Flush() override { out_.Flush(fd()); }
  bool wants_write() const override { return !out_.empty(); }
  void OnReadable() override;

 private:
  // Takes all of `bytes`; stops when the session breaks.
  void OnBytes(std::string_view bytes);
  void OnAnswer();
  void End(Outcome outcome, const std::string* reason);
  void Break(const std::string& reason);

  OutQueue out_;
  HttpResponseParser parser_;
  AnswerCheck check_;
  std::string error_body_;  // of an answer that is not 200
  int64_t started_ns_ = 0;
  int64_t now_ = 0;
};

}  // namespace pt::load
