// Http2Call: one stream of an HTTP/2 connection as the server sees it: what REST calls and gRPC
// calls have in common.
//
// Thread rule: loop driver only; the sinks that derive from it say what else is allowed.
// Owner rule: counted (by the sink it derives into): the protocol holds it from Accept to OnClosed,
// the api as long as it may answer. After OnClosed nothing of the connection is touched.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/gate.h"
#include "net/loop.h"
#include "server/connection.h"
#include "wire/http2.h"

namespace pt::server {

class Http2Protocol;

class Http2Call : public wire::Http2Stream, public net::LoopTask {
 public:
  virtual void OnData(std::string_view bytes) = 0;
  virtual void OnEnd() = 0;
  // Where the next bytes of the body belong; empty: they come by OnData. See Protocol.
  virtual Protocol::Target DirectTarget() { return {}; }
  virtual void OnDirectBytes(size_t count) {}
  // About once a second while open. `idle_limit`: how long the client may keep us waiting.
  virtual void OnTick(TimePoint now, Duration idle_limit) = 0;
  // The server stops: what could wait for its client for ever ends: at first what rests between
  // messages; with kLast also what waits for its first one.
  enum class DrainStep { kFirst, kLast };
  virtual void BeginDrain(DrainStep step) {}
  // The server's patience ended: cancels the call and answers `reason`, unless it was answered.
  virtual void FailCall(const std::string& reason) = 0;
  // The client's deadline passed.
  virtual void OnDeadline() {}
  // The session has forgotten the stream. Cancels the call if it was not answered, and drops the
  // protocol's reference: the object may be gone when it returns.
  virtual void OnClosed() = 0;

 protected:
  explicit Http2Call(Http2Protocol* protocol);
  virtual ~Http2Call();

  bool is_open() const { return protocol_ != nullptr; }
  wire::Http2Session& session() const;
  const Services& services() const { return connection_->services(); }
  const api::CallContext& calls() const { return connection_->context().calls(); }
  void Touch() { touched_ = connection_->context().loop().now(); }
  // The call has its last byte: shutdown waits for its answer.
  void EnterGate();
  // Keeps a claim on the memory budget until the call ends; returns the one before it.
  void KeepClaim(uint64_t bytes);
  // The part of closing that all calls share.
  void Disconnect();
  // Ends the stream when the client did not take any of the answer for so long.
  bool ResetIfStalled(TimePoint now, Duration idle_limit);
  // Refuses to queue ever more for a client that does not read. True: the stream was reset.
  bool ResetIfUnread();

  const RefPtr<Connection> connection_;
  Http2Protocol* protocol_;  // null once closed
  std::string label_;        // for the log; empty when nobody logs
  TimePoint touched_;        // when the client sent bytes last

 private:
  Gate* gate_ = nullptr;
  uint64_t claimed_ = 0;
  size_t unsent_before_ = 0;  // at the last tick
  TimePoint sent_at_;
};

}  // namespace pt::server
