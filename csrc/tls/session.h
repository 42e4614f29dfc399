// Session: one SSL on one socket. It reads ahead, so that small records cost one recv, and sends
// each record by itself.
//
// Thread rule: whoever uses the socket. Owner rule: borrows the socket.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "net/tls.h"
#include "tls/openssl_ptr.h"

namespace pt::tls {

// How sessions read and write their sockets; null without memory.
BioMethodPtr NewSocketMethod();

class Session final : public net::TlsSession {
 public:
  Session(SessionPtr ssl, int fd);
  // `method`: of NewSocketMethod. False without memory.
  bool Open(const BIO_METHOD* method);

  net::TlsState Handshake() override;
  net::TlsResult Read(char* data, size_t size) override;
  net::TlsResult Write(std::string_view bytes, net::TlsMore more) override;
  net::TlsState Shutdown() override;
  bool has_pending() const override;
  const std::string& failure() const override { return failure_; }

  // The socket's functions, for the BIO.
  int Receive(char* data, int size);
  int Send(const char* data, int size);

 private:
  net::TlsState StateOf(int outcome);

  const SessionPtr ssl_;
  const int fd_;
  bool sends_more_ = false;
  std::string failure_;
};

}  // namespace pt::tls
