// What tests of TLS need: certificates made on the spot, and a peer that speaks TLS through a copy
// of OpenSSL of its own (that of the tests, not that of the library under test).
//
// Thread rule: one thread. Owner rule: a TlsPeer owns its descriptor.
#pragma once

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

#include "base/unique_fd.h"

namespace pt::net {

struct TlsTestPair {
  std::shared_ptr<X509> certificate;
  std::shared_ptr<EVP_PKEY> key;
  std::string CertificatePem() const;
  std::string KeyPem() const;
  std::string EncryptedKeyPem() const;
};

struct TlsTestWish {
  std::string name = "localhost";   // and its alternative name
  const TlsTestPair* by = nullptr;  // who signs; null: an authority that signs itself
  int days_from = -1;               // of today
  int days_to = 30;
};
TlsTestPair MakeTestPair(const TlsTestWish& wish);

// A client, or a server, on a non-blocking descriptor.
class TlsPeer {
 public:
  enum class Side { kClient, kServer };
  // `own`: may be null for a client; `root`: whom it believes, null: it asks for nothing.
  TlsPeer(Side side, int fd, const TlsTestPair* root, const TlsTestPair* own);

  // Each does what it can at once: true when that is all.
  bool Shake() { return SSL_do_handshake(ssl_.get()) == 1; }
  bool Write(const std::string& bytes);
  std::string Read();  // all there is
  // The other side has said that it sends no more.
  bool WasTold() const { return was_told_; }

  SSL* ssl() const { return ssl_.get(); }
  int fd() const { return fd_.get(); }
  void CloseFd() { fd_.Reset(); }

 private:
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl_;
  UniqueFd fd_;
  bool was_told_ = false;
};

}  // namespace pt::net
