#include "net/tls_kit.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <array>
#include <csignal>

namespace pt::net {
namespace {

constexpr int kDay = 24 * 3600;

std::string TextOf(BIO* bio) {
  char* data = nullptr;
  const auto size = static_cast<size_t>(BIO_get_mem_data(bio, &data));
  std::string text(data, size);
  BIO_free(bio);
  return text;
}

void AddExtension(X509* certificate, int kind, const std::string& value) {
  X509_EXTENSION* const made = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str());
  X509_add_ext(certificate, made, -1);
  X509_EXTENSION_free(made);
}

}  // namespace

std::string TlsTestPair::CertificatePem() const {
  BIO* const bio = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(bio, certificate.get());
  return TextOf(bio);
}

std::string TlsTestPair::KeyPem() const {
  BIO* const bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  return TextOf(bio);
}

std::string TlsTestPair::EncryptedKeyPem() const {
  BIO* const bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(bio, key.get(), EVP_aes_128_cbc(), nullptr, 0, nullptr,
                           const_cast<char*>("secret"));
  return TextOf(bio);
}

TlsTestPair MakeTestPair(const TlsTestWish& wish) {
  TlsTestPair pair;
  pair.key.reset(EVP_EC_gen("P-256"), EVP_PKEY_free);
  X509* const made = X509_new();
  pair.certificate.reset(made, X509_free);
  static int serial = 0;
  X509_set_version(made, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(made), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(made), wish.days_from * kDay);
  X509_gmtime_adj(X509_getm_notAfter(made), wish.days_to * kDay);
  X509_set_pubkey(made, pair.key.get());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(made), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(wish.name.c_str()), -1, -1, 0);
  const TlsTestPair& by = wish.by == nullptr ? pair : *wish.by;
  X509_set_issuer_name(made, X509_get_subject_name(by.certificate.get()));
  if (wish.by == nullptr) {
    AddExtension(made, NID_basic_constraints, "critical,CA:TRUE");
  } else {
    AddExtension(made, NID_subject_alt_name, "DNS:" + wish.name + ",IP:127.0.0.1");
  }
  X509_sign(made, by.key.get(), EVP_sha256());
  return pair;
}

TlsPeer::TlsPeer(Side side, int fd, const TlsTestPair* root, const TlsTestPair* own)
    : context_(SSL_CTX_new(TLS_method()), SSL_CTX_free), ssl_(nullptr, SSL_free), fd_(fd) {
  std::signal(SIGPIPE, SIG_IGN);  // this OpenSSL writes as to a file
  if (own != nullptr) {
    SSL_CTX_use_certificate(context_.get(), own->certificate.get());
    SSL_CTX_use_PrivateKey(context_.get(), own->key.get());
  }
  if (root != nullptr) {
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context_.get()), root->certificate.get());
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
  }
  SSL_CTX_set_mode(context_.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  ssl_.reset(SSL_new(context_.get()));
  SSL_set_fd(ssl_.get(), fd);
  if (side == Side::kClient) {
    SSL_set_connect_state(ssl_.get());
  } else {
    SSL_set_accept_state(ssl_.get());
  }
}

bool TlsPeer::Write(const std::string& bytes) {
  ERR_clear_error();
  return SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())) ==
         static_cast<int>(bytes.size());
}

std::string TlsPeer::Read() {
  std::string all;
  std::array<char, 65536> part;
  int got = 0;
  ERR_clear_error();
  while ((got = SSL_read(ssl_.get(), part.data(), static_cast<int>(part.size()))) > 0) {
    all.append(part.data(), static_cast<size_t>(got));
  }
  was_told_ = SSL_get_error(ssl_.get(), got) == SSL_ERROR_ZERO_RETURN;
  return all;
}

}  // namespace pt::net
