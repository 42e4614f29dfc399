// Session: one connection to the server and the requests under way on it.
//
// The protocols implement it; the runner owns sessions, waits for their sockets and decides when
// a request starts. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/status.h"
#include "load/answer.h"
#include "load/message.h"
#include "load/options.h"
#include "load/socket.h"

namespace pt::load {

// How a request ended.
enum class Outcome {
  kRight,    // answered, and rightly
  kRefused,  // the server said that it is overloaded (503, 429, UNAVAILABLE, RESOURCE_EXHAUSTED)
  kWrong,    // answered with other bytes than expected
  kFailed,   // any other error, or the connection broke
};

struct Ending {
  Outcome outcome = Outcome::kRight;
  int64_t started_ns = 0;  // as given to Start()
  int64_t ended_ns = 0;
  const std::string* reason = nullptr;  // borrowed for the call; nullptr when right
};

class Session;

class SessionOwner {
 public:
  virtual ~SessionOwner() = default;
  // A request ended; the session may be given the next one at once.
  virtual void OnEnded(Session& session, const Ending& ending) = 0;
};

// What all sessions of a run share. Borrowed by them.
struct SessionShared {
  const Options* options;
  const Message* request;  // see BuildRequest
  AnswerBook* book;
  SessionOwner* owner;
  std::string receive_buffer;  // scratch: nothing stays in it between two calls
};

class Session {
 public:
  // Connects; for gRPC also exchanges settings. Fails as Socket::Connect.
  static Result<std::unique_ptr<Session>> Open(SessionShared* shared);

  virtual ~Session() = default;

  // Whether one more request may be started now.
  virtual bool CanStart() const = 0;
  // Starts a request; it leaves with the next Flush(). REQUIRES: CanStart().
  virtual void Start(int64_t started_ns) = 0;
  // Sends what the socket takes. A connection that breaks shows at the next OnReadable().
  virtual void Flush() = 0;
  // Whether Flush() left something that waits for the socket to take more.
  virtual bool wants_write() const = 0;
  // Reads and ends requests. On a broken connection all requests under way end as failed.
  virtual void OnReadable() = 0;

  int fd() const { return socket_.fd(); }
  // A broken (or orderly ended) session takes no more requests and has none under way.
  bool is_broken() const { return is_broken_; }
  int64_t in_flight() const { return in_flight_; }
  Socket& socket() { return socket_; }

  // For the owner: its number for this session, and what it waits for.
  size_t index = 0;
  bool is_polled_for_write = false;
  bool is_dirty = false;

 protected:
  Session(Socket socket, SessionShared* shared) : socket_(std::move(socket)), shared_(shared) {}

  Socket socket_;
  SessionShared* shared_;
  bool is_broken_ = false;
  int64_t in_flight_ = 0;
};

}  // namespace pt::load
