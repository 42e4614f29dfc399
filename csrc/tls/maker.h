// Maker: makes contexts of PEM texts. The front door of the library pytriton_tls, in which OpenSSL
// lives.
//
// OpenSSL is used with its own defaults: TLS 1.2 at least, no renegotiation, no compression,
// sessions resumed by tickets. Its configuration file is not read.
//
// Thread rule: any thread. Owner rule: one constant object, for the life of the process.
#pragma once

#include <memory>
#include <string>

#include "net/tls.h"
#include "tls/openssl_ptr.h"

namespace pt::tls {

class Maker final : public net::TlsMaker {
 public:
  Maker();

  std::shared_ptr<const net::TlsContext> MakeServer(const net::TlsServerPem& pem,
                                                    net::TlsProblem* problem) const override;
  std::shared_ptr<const net::TlsContext> MakeClient(const std::string& roots,
                                                    net::TlsProblem* problem) const override;

 private:
  const bool is_ready_;
  const BioMethodPtr socket_method_;  // one for all: OpenSSL has few numbers for them
};

}  // namespace pt::tls
