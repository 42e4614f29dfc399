#include "tls/maker.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <sys/stat.h>

#include <array>
#include <cstring>
#include <string_view>
#include <utility>

#include "tls/context.h"
#include "tls/openssl_ptr.h"
#include "tls/session.h"

namespace pt::tls {
namespace {

using net::TlsPart;
using net::TlsProblem;

// What a server speaks, in the order it likes them; each with its length before it.
constexpr std::string_view kProtocols = "\x02h2\x08http/1.1\x08http/1.0";
// OpenSSL looks where Debian keeps them; these are the bundles of other systems.
constexpr std::array<const char*, 4> kRootBundles = {
    "/etc/pki/tls/certs/ca-bundle.crt", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"};
constexpr std::array<unsigned char, 8> kSessionOwner = {'p', 'y', 't', 'r', 'i', 't', 'o', 'n'};

BioPtr BioOf(const std::string& text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

bool Refuse(TlsPart part, std::string why, TlsProblem* problem) {
  problem->part = part;
  problem->why = std::move(why);
  ERR_clear_error();
  return false;
}

// NOLINTNEXTLINE(readability-function-size): OpenSSL decides what it is given
int ChooseProtocol(SSL*, const unsigned char** chosen, unsigned char* size,
                   const unsigned char* offered, unsigned int offered_size, void*) {
  const int found =
      SSL_select_next_proto(const_cast<unsigned char**>(chosen), size,
                            reinterpret_cast<const unsigned char*>(kProtocols.data()),
                            static_cast<unsigned int>(kProtocols.size()), offered, offered_size);
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

// A passphrase is asked for: there is nobody to ask.
int NoPassphrase(char*, int, int, void* was_asked) {
  *static_cast<bool*>(was_asked) = true;
  return -1;
}

void SetCommon(SSL_CTX* context) {
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  // HTTP says itself where a message ends: an end without close_notify cuts nothing off unseen.
  SSL_CTX_set_options(
      context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(context, 1);
}

bool UseCertificate(const std::string& pem, SSL_CTX* context, TlsProblem* problem) {
  const BioPtr text = BioOf(pem);
  const CertificatePtr own(PEM_read_bio_X509_AUX(text.get(), nullptr, nullptr, nullptr));
  if (own == nullptr) {
    return Refuse(TlsPart::kCertificate, "expected a certificate as PEM text, got: " + TakeError(),
                  problem);
  }
  if (SSL_CTX_use_certificate(context, own.get()) != 1) {
    return Refuse(TlsPart::kCertificate, "expected a usable certificate, got: " + TakeError(),
                  problem);
  }
  while (CertificatePtr next{PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr)}) {
    if (SSL_CTX_add0_chain_cert(context, next.get()) != 1) {
      return Refuse(TlsPart::kCertificate, "expected a usable chain, got: " + TakeError(), problem);
    }
    [[maybe_unused]] X509* const given = next.release();
  }
  const bool is_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (!is_end) {
    return Refuse(TlsPart::kCertificate, "expected certificates as PEM text, got: " + TakeError(),
                  problem);
  }
  ERR_clear_error();
  return true;
}

bool UseKey(const std::string& pem, SSL_CTX* context, TlsProblem* problem) {
  bool is_encrypted = false;
  const BioPtr text = BioOf(pem);
  const KeyPtr key(PEM_read_bio_PrivateKey(text.get(), nullptr, NoPassphrase, &is_encrypted));
  if (is_encrypted) {
    return Refuse(TlsPart::kKey,
                  "expected a private key without a passphrase, got an encrypted one", problem);
  }
  if (key == nullptr) {
    return Refuse(TlsPart::kKey, "expected a private key as PEM text, got: " + TakeError(),
                  problem);
  }
  if (X509_check_private_key(SSL_CTX_get0_certificate(context), key.get()) != 1) {
    return Refuse(TlsPart::kKey, "expected the key of the server's certificate, got another one",
                  problem);
  }
  if (SSL_CTX_use_PrivateKey(context, key.get()) == 1) return true;
  return Refuse(TlsPart::kKey, "expected a usable private key, got: " + TakeError(), problem);
}

// Trusts each certificate of the text, and tells clients their names if `context` is a server's.
bool Trust(const std::string& pem, Side side, SSL_CTX* context, TlsProblem* problem) {
  const BioPtr text = BioOf(pem);
  int count = 0;
  while (const CertificatePtr root{PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr)}) {
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), root.get()) != 1 ||
        (side == Side::kServer && SSL_CTX_add_client_CA(context, root.get()) != 1)) {
      return Refuse(TlsPart::kClientRoots, "expected usable certificates, got: " + TakeError(),
                    problem);
    }
    ++count;
  }
  if (count == 0 || ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
    return Refuse(TlsPart::kClientRoots, "expected certificates as PEM text, got: " + TakeError(),
                  problem);
  }
  ERR_clear_error();
  return true;
}

void TrustTheSystem(SSL_CTX* context) {
  SSL_CTX_set_default_verify_paths(context);
  for (const char* const path : kRootBundles) {
    struct stat found{};
    if (stat(path, &found) == 0) SSL_CTX_load_verify_file(context, path);
  }
  ERR_clear_error();
}

std::string WarningOf(const X509* certificate) {
  const ASN1_TIME* const begin = X509_get0_notBefore(certificate);
  const ASN1_TIME* const end = X509_get0_notAfter(certificate);
  const bool is_expired = X509_cmp_current_time(end) < 0;
  if (!is_expired && X509_cmp_current_time(begin) <= 0) return "";
  const BioPtr text(BIO_new(BIO_s_mem()));
  ASN1_TIME_print(text.get(), is_expired ? end : begin);
  char* data = nullptr;
  const auto size = static_cast<size_t>(BIO_get_mem_data(text.get(), &data));
  return "expected a certificate that is valid now, got one that " +
         std::string(is_expired ? "expired on " : "is not valid before ") + std::string(data, size);
}

}  // namespace

// The process may end while other threads use TLS: nothing is torn down.
Maker::Maker()
    : is_ready_(OPENSSL_init_ssl(OPENSSL_INIT_NO_ATEXIT | OPENSSL_INIT_NO_LOAD_CONFIG, nullptr) ==
                1),
      socket_method_(NewSocketMethod()) {}

std::shared_ptr<const net::TlsContext> Maker::MakeServer(const net::TlsServerPem& pem,
                                                         TlsProblem* problem) const {
  ContextPtr made(is_ready_ ? SSL_CTX_new(TLS_server_method()) : nullptr);
  if (made == nullptr || socket_method_ == nullptr) {
    Refuse(TlsPart::kOther, "expected OpenSSL to begin, got: " + TakeError(), problem);
    return nullptr;
  }
  SSL_CTX* const context = made.get();
  SetCommon(context);
  SSL_CTX_set_alpn_select_cb(context, ChooseProtocol, nullptr);
  // Tickets keep sessions at the clients; a cache here would be memory that clients fill.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_session_id_context(context, kSessionOwner.data(), kSessionOwner.size());
  if (!UseCertificate(pem.certificate, context, problem) || !UseKey(pem.key, context, problem)) {
    return nullptr;
  }
  if (!pem.client_roots.empty()) {
    if (!Trust(pem.client_roots, Side::kServer, context, problem)) return nullptr;
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  std::string warning = WarningOf(SSL_CTX_get0_certificate(context));
  return std::make_shared<Context>(std::move(made), socket_method_.get(), Side::kServer,
                                   std::move(warning));
}

std::shared_ptr<const net::TlsContext> Maker::MakeClient(const std::string& roots,
                                                         TlsProblem* problem) const {
  ContextPtr made(is_ready_ ? SSL_CTX_new(TLS_client_method()) : nullptr);
  if (made == nullptr || socket_method_ == nullptr) {
    Refuse(TlsPart::kOther, "expected OpenSSL to begin, got: " + TakeError(), problem);
    return nullptr;
  }
  SetCommon(made.get());
  SSL_CTX_set_verify(made.get(), SSL_VERIFY_PEER, nullptr);
  if (roots.empty()) {
    TrustTheSystem(made.get());
  } else if (!Trust(roots, Side::kClient, made.get(), problem)) {
    return nullptr;
  }
  return std::make_shared<Context>(std::move(made), socket_method_.get(), Side::kClient, "");
}

}  // namespace pt::tls
