// The faces of TLS: what streams need of it, without a word of OpenSSL. Behind them is csrc/tls, a
// library of its own that is loaded when somebody uses TLS (net/tls_library.h).
//
// Thread rule: a TlsContext is immutable, any thread makes sessions; a session belongs to whoever
// uses its socket. Owner rule: a session borrows its socket and needs its context no more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace pt::net {

enum class TlsState {
  kDone,        // what was asked for
  kWantsRead,   // the socket must become readable first
  kWantsWrite,  // the socket must become writable first
  kClosed,      // the peer sends no more (an end without close_notify counts, too)
  kFailed,      // for good: failure() says why
};

struct TlsResult {
  TlsState state = TlsState::kFailed;
  size_t count = 0;  // with kDone: bytes, at least 1
};

// Whether more is sent at once: the kernel may then wait and fill its packets.
enum class TlsMore { kNo, kYes };

// TLS on one connected, non-blocking socket.
class TlsSession {
 public:
  virtual ~TlsSession() = default;
  // Goes on with the handshake, as far as it comes.
  virtual TlsState Handshake() = 0;
  // The bytes of one record, or a part of it.
  virtual TlsResult Read(char* data, size_t size) = 0;
  // Sends a first part of `bytes` as one record. After kWantsWrite: to be repeated with the same
  // bytes, which may lie elsewhere and be followed by more.
  virtual TlsResult Write(std::string_view bytes, TlsMore more) = 0;
  // Tells the peer that nothing more is sent.
  virtual TlsState Shutdown() = 0;
  // Received bytes are kept that Read has not given yet: no event tells of those. They may be a
  // part of a record only.
  virtual bool has_pending() const = 0;
  virtual const std::string& failure() const = 0;
};

// A server's certificate, or whom a client believes.
class TlsContext {
 public:
  virtual ~TlsContext() = default;
  // `host`: the name or address that the server must prove (clients only). Null without memory.
  virtual std::unique_ptr<TlsSession> NewSession(int fd, const std::string& host) const = 0;
  // What is odd about it, but no reason to refuse it; empty: nothing.
  virtual const std::string& warning() const = 0;
};

// The texts of PEM files.
struct TlsServerPem {
  std::string certificate;  // and those that lead to its authority
  std::string key;
  std::string
      client_roots;  // who must have signed clients' certificates; empty: none are asked for
};

// Which of them is wrong, and why.
enum class TlsPart { kCertificate, kKey, kClientRoots, kOther };
struct TlsProblem {
  TlsPart part = TlsPart::kOther;
  std::string why;  // "expected ..., got ..."
};

// What the library gives. Its object is constant and lives as long as the process.
class TlsMaker {
 public:
  // Null: `problem` says why.
  virtual std::shared_ptr<const TlsContext> MakeServer(const TlsServerPem& pem,
                                                       TlsProblem* problem) const = 0;
  // `roots`: PEM; empty: those of the system.
  virtual std::shared_ptr<const TlsContext> MakeClient(const std::string& roots,
                                                       TlsProblem* problem) const = 0;

 protected:
  ~TlsMaker() = default;
};

}  // namespace pt::net
