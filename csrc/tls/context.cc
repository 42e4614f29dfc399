#include "tls/context.h"

#include <openssl/x509v3.h>

#include <utility>

#include "tls/session.h"

namespace pt::tls {
namespace {

// Has the session check that the peer is `host`, a name or an address.
bool Expect(const std::string& host, SSL* ssl) {
  X509_VERIFY_PARAM* const rules = SSL_get0_param(ssl);
  if (X509_VERIFY_PARAM_set1_ip_asc(rules, host.c_str()) == 1) return true;
  X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return X509_VERIFY_PARAM_set1_host(rules, host.data(), host.size()) == 1 &&
         SSL_set_tlsext_host_name(ssl, host.c_str()) == 1;
}

}  // namespace

Context::Context(ContextPtr context, const BIO_METHOD* socket_method, Side side,
                 std::string warning)
    : context_(std::move(context)),
      socket_method_(socket_method),
      side_(side),
      warning_(std::move(warning)) {}

std::unique_ptr<net::TlsSession> Context::NewSession(int fd, const std::string& host) const {
  SessionPtr ssl(SSL_new(context_.get()));
  if (ssl == nullptr) return nullptr;
  if (side_ == Side::kServer) {
    SSL_set_accept_state(ssl.get());
  } else {
    SSL_set_connect_state(ssl.get());
    if (!Expect(host, ssl.get())) return nullptr;
  }
  auto session = std::make_unique<Session>(std::move(ssl), fd);
  if (!session->Open(socket_method_)) return nullptr;
  return session;
}

}  // namespace pt::tls
