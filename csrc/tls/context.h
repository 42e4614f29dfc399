// Context: an SSL_CTX that is finished, and the way its sessions read and write their sockets.
//
// Thread rule: immutable; any thread. Owner rule: shared, because it is replaced while connections
// are made with it; sessions keep the parts they need.
#pragma once

#include <memory>
#include <string>

#include "net/tls.h"
#include "tls/openssl_ptr.h"

namespace pt::tls {

enum class Side { kServer, kClient };

class Context final : public net::TlsContext {
 public:
  // `socket_method`: of NewSocketMethod; outlives all sessions.
  Context(ContextPtr context, const BIO_METHOD* socket_method, Side side, std::string warning);

  std::unique_ptr<net::TlsSession> NewSession(int fd, const std::string& host) const override;
  const std::string& warning() const override { return warning_; }

 private:
  const ContextPtr context_;
  const BIO_METHOD* const socket_method_;
  const Side side_;
  const std::string warning_;
};

}  // namespace pt::tls
