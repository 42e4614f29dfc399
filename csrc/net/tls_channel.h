// TlsChannel: what a Stream keeps while it speaks TLS: the session, and what the session waits for.
//
// Level-triggered events are not enough with TLS: bytes that were received and not read lie in the
// session, and a read may have to wait for room to write. Whoever reads asks has_more and
// reads_when_writable.
//
// Thread rule: loop driver only. Owner rule: owned by its Stream; borrows the loop's turns.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "net/read_result.h"
#include "net/tls.h"
#include "net/tls_turns.h"

namespace pt::net {

class TlsChannel {
 public:
  // Plain bytes that fill a record.
  static constexpr size_t kRecordBytes = 16 << 10;

  // `stream` is given up when there are too many handshakes.
  TlsChannel(std::unique_ptr<TlsSession> session, TlsTurns* turns, TlsHandshake* stream);
  ~TlsChannel() { LeaveTurns(); }
  TlsChannel(const TlsChannel&) = delete;
  TlsChannel& operator=(const TlsChannel&) = delete;

  bool is_established() const { return is_established_; }
  bool TakeTurn(TimePoint round) { return turns_->Take(round); }
  // kDone: established.
  TlsState Shake();
  // The handshake is over, one way or the other. Idempotent.
  void LeaveTurns();

  // Fills `data` as far as there is something, for a while. REQUIRES: established, as for the rest.
  ReadResult Read(char* data, size_t size);
  // One record.
  TlsResult Write(std::string_view bytes, TlsMore more);
  TlsState Shutdown() { return session_->Shutdown(); }

  // Reading again is worth while, whatever the socket says.
  bool has_more() const { return has_more_; }
  // The read, or the handshake, goes on when the socket can be written.
  bool reads_when_writable() const { return reads_when_writable_; }
  void set_reads_when_writable(bool value) { reads_when_writable_ = value; }
  // The write goes on when something was read.
  bool writes_when_readable() const { return writes_when_readable_; }
  void set_writes_when_readable(bool value) { writes_when_readable_ = value; }

  const std::string& failure() const { return session_->failure(); }

 private:
  const std::unique_ptr<TlsSession> session_;
  TlsTurns* const turns_;
  std::optional<TlsTurns::Place> place_;  // among the handshakes
  bool is_established_ = false;
  bool has_more_ = false;
  bool reads_when_writable_ = false;
  bool writes_when_readable_ = false;
};

}  // namespace pt::net
