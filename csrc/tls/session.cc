#include "tls/session.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace pt::tls {
namespace {

using net::TlsMore;
using net::TlsResult;
using net::TlsState;

bool IsForLater(int error) { return error == EAGAIN || error == EWOULDBLOCK; }

int ReadSocket(BIO* bio, char* data, int size) {
  BIO_clear_retry_flags(bio);
  const int got = static_cast<Session*>(BIO_get_data(bio))->Receive(data, size);
  if (got < 0 && IsForLater(errno)) BIO_set_retry_read(bio);
  if (got == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
  return got;
}

int WriteSocket(BIO* bio, const char* data, int size) {
  BIO_clear_retry_flags(bio);
  const int sent = static_cast<Session*>(BIO_get_data(bio))->Send(data, size);
  if (sent < 0 && IsForLater(errno)) BIO_set_retry_write(bio);
  return sent;
}

long ControlSocket(BIO* bio, int command, long, void*) {  // NOLINT(google-runtime-int)
  if (command == BIO_CTRL_EOF) return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

}  // namespace

BioMethodPtr NewSocketMethod() {
  BioMethodPtr method(BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "pytriton socket"));
  if (method == nullptr) return nullptr;
  BIO_meth_set_read(method.get(), ReadSocket);
  BIO_meth_set_write(method.get(), WriteSocket);
  BIO_meth_set_ctrl(method.get(), ControlSocket);
  return method;
}

Session::Session(SessionPtr ssl, int fd) : ssl_(std::move(ssl)), fd_(fd) {}

bool Session::Open(const BIO_METHOD* method) {
  BIO* const bio = BIO_new(method);
  if (bio == nullptr) return false;
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);  // owns it from now on
  return true;
}

int Session::Receive(char* data, int size) {
  ssize_t got;
  do {
    got = recv(fd_, data, static_cast<size_t>(size), 0);
  } while (got < 0 && errno == EINTR);
  return static_cast<int>(got);
}

int Session::Send(const char* data, int size) {
  // No SIGPIPE, whatever the process does with it.
  const int flags = MSG_NOSIGNAL | (sends_more_ ? MSG_MORE : 0);
  ssize_t sent;
  do {
    sent = send(fd_, data, static_cast<size_t>(size), flags);
  } while (sent < 0 && errno == EINTR);
  return static_cast<int>(sent);
}

// `outcome`: what OpenSSL's function has returned. It looks at the thread's error queue, which was
// empty before the call.
TlsState Session::StateOf(int outcome) {
  const int error = errno;
  switch (SSL_get_error(ssl_.get(), outcome)) {
    case SSL_ERROR_NONE:
      return TlsState::kDone;
    case SSL_ERROR_WANT_READ:
      return TlsState::kWantsRead;
    case SSL_ERROR_WANT_WRITE:
      return TlsState::kWantsWrite;
    case SSL_ERROR_ZERO_RETURN:
      return TlsState::kClosed;
    case SSL_ERROR_SYSCALL:
      failure_ = error == 0 ? "the peer closed the connection" : std::strerror(error);
      break;
    default:
      failure_ = TakeError();
  }
  if (const long verdict = SSL_get_verify_result(ssl_.get());  // NOLINT(google-runtime-int)
      verdict != X509_V_OK && !SSL_is_init_finished(ssl_.get())) {
    failure_ += std::string(": ") + X509_verify_cert_error_string(verdict);
  }
  ERR_clear_error();
  return TlsState::kFailed;
}

TlsState Session::Handshake() {
  ERR_clear_error();
  errno = 0;
  return StateOf(SSL_do_handshake(ssl_.get()));
}

TlsResult Session::Read(char* data, size_t size) {
  ERR_clear_error();
  errno = 0;
  size_t got = 0;
  const int outcome = SSL_read_ex(ssl_.get(), data, size, &got);
  if (outcome > 0) return {TlsState::kDone, got};
  return {StateOf(outcome), 0};
}

TlsResult Session::Write(std::string_view bytes, TlsMore more) {
  ERR_clear_error();
  errno = 0;
  sends_more_ = more == TlsMore::kYes;
  size_t sent = 0;
  const int outcome = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &sent);
  sends_more_ = false;
  if (outcome > 0) return {TlsState::kDone, sent};
  return {StateOf(outcome), 0};
}

TlsState Session::Shutdown() {
  ERR_clear_error();
  errno = 0;
  const int outcome = SSL_shutdown(ssl_.get());
  // 0: ours is sent, the peer's has not come; nobody waits for that.
  return outcome >= 0 ? TlsState::kDone : StateOf(outcome);
}

bool Session::has_pending() const { return SSL_has_pending(ssl_.get()) != 0; }

}  // namespace pt::tls
