// Stream: a connected non-blocking socket: reads when asked, queues writes and sends them gathered.
// It knows no protocol, and keeps no received bytes. With TLS (Secure) it behaves the same: bytes,
// counts and marks are those of the plain text, and nothing is read before the handshake is over.
//
// Small pieces are copied into one buffer, large ones leave from where they lie (their Slice is
// held until they are sent). EPOLLOUT is armed only after the kernel took less than all.
//
// Thread rule: loop driver only. Owner rule: owns the descriptor; owned by a connection.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/block.h"
#include "net/loop.h"
#include "net/read_result.h"
#include "net/tls.h"
#include "net/tls_turns.h"

namespace pt::net {

class StreamHandler {
 public:
  virtual void OnReadable() = 0;
  // The kernel, full before, takes bytes again: call Flush.
  virtual void OnWritable() = 0;
  // The peer is gone for good (reset, or a write failed). Called once; nothing else follows.
  virtual void OnBroken() = 0;
  // The queue was congested and has fallen below the low mark.
  virtual void OnDrained() = 0;

 protected:
  ~StreamHandler() = default;
};

class TlsChannel;

class Stream final : private EventHandler, private TlsHandshake {
 public:
  // Pieces up to this size are copied into the out buffer: cheaper than an iovec and a counted
  // owner.
  static constexpr size_t kCopyLimit = 16 << 10;
  static constexpr size_t kHighMark = 1 << 20;  // queued bytes above which a writer should pause
  static constexpr size_t kLowMark = 256 << 10;
  static constexpr size_t kMostAwaited = 512 << 10;  // a peer sends on while that is received
  static constexpr size_t kLeastPart = 128 << 10;

  // Takes the connected, non-blocking descriptor over.
  Stream(Loop* loop, int fd, StreamHandler* handler);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Speaks TLS from the first byte on. `turns` are the loop's. REQUIRES: before Open.
  void Secure(std::unique_ptr<TlsSession> session, TlsTurns* turns);
  bool is_in_handshake() const;
  // Why TLS broke the stream; empty: it did not. REQUIRES: it is open.
  std::string TlsFailure() const;

  // Begins to watch. Errors: Unavailable (the descriptor is then closed by the destructor).
  Status Open();
  // Closes the descriptor at once; what is queued is lost. Idempotent.
  void Close();
  bool is_open() const { return fd_ >= 0; }

  // One recv; with TLS some, and less than `size` may come although there is more: OnReadable is
  // then called again.
  ReadResult Read(char* data, size_t size);
  // From now on OnReadable is called when so many bytes are there, or no more can come: for bytes
  // that are of use only together, so that the peer doesn't wake this side for each packet. More
  // than kMostAwaited are awaited in parts, to be read while the peer sends on. The kernel calls
  // earlier when its memory is full; Unix sockets and TLS, which may hold a part of them, call for
  // any.
  void AwaitBytes(size_t count);
  // Whether received bytes may lie in the kernel that OnReadable was not called for.
  bool awaits_bytes() const { return awaited_ > 1; }
  // While paused OnReadable is not called (a reset still is noticed).
  void PauseReading();
  void ResumeReading();

  // Queues bytes; nothing is sent before Flush. The caller marks its output dirty.
  void Write(std::string_view bytes);
  void Write(Slice bytes);
  // At least `size` writable bytes at the end of the out buffer; CommitWrite says how many were
  // used.
  char* ReserveWrite(size_t size);
  void CommitWrite(size_t used);

  size_t queued() const { return queued_; }
  // Bytes sent so far: tells whether the peer still takes what is queued.
  uint64_t sent_total() const { return sent_total_; }
  bool is_congested() const { return queued_ >= kHighMark; }
  // Sends as much as the kernel takes: one sendmsg when it takes all. The rest follows by itself.
  void Flush();
  // No more bytes will be written: FIN after the queue (with TLS, close_notify before it).
  // REQUIRES: queued() == 0.
  void ShutdownWrite();

  // Address of the peer for the log: "127.0.0.1:4711" or "unix".
  std::string PeerName() const;

 private:
  // A piece of the queue: a Slice, or the next slice.size bytes of the out buffer.
  struct Piece {
    Slice slice;
    bool is_copied = false;
  };

  void OnEvents(uint32_t epoll_events) override;
  void GiveUp() override;  // TlsHandshake
  void OnTlsEvents(uint32_t epoll_events);
  void GoOnWithHandshake(uint32_t epoll_events);
  void ReadRestLater();
  ReadResult ReadTls(char* data, size_t size);
  size_t SendRecord();
  void EndTls();
  void UpdateInterest();
  void AddCopied(size_t count);
  size_t SendSome();
  void Sent(size_t count);
  void ForgetAll();
  void Break();

  Loop* const loop_;
  int fd_;
  StreamHandler* const handler_;
  std::unique_ptr<TlsChannel> tls_;  // null: clear text, or closed
  uint32_t interest_ = 0;
  bool is_paused_ = false;
  bool wants_write_ = false;
  bool was_congested_ = false;
  bool is_broken_ = false;
  bool is_ending_tls_ = false;  // close_notify waits for room
  uint64_t rest_timer_ = 0;     // TLS has received bytes that were not read
  size_t awaited_ = 1;
  bool awaits_parts_ = false;  // of more than kMostAwaited bytes
  size_t queued_ = 0;
  size_t reserved_ = 0;
  uint64_t sent_total_ = 0;
  std::vector<Piece> pieces_;  // the first first_piece_ are sent
  size_t first_piece_ = 0;
  std::string copy_buffer_;  // bytes of all copied pieces, in order
  size_t copy_sent_ = 0;     // already sent at its front
};

}  // namespace pt::net
