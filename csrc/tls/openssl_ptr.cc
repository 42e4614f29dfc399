#include "tls/openssl_ptr.h"

#include <openssl/err.h>

namespace pt::tls {

std::string TakeError() {
  const unsigned long code = ERR_peek_last_error();  // NOLINT(google-runtime-int): OpenSSL's type
  const char* const reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  std::string text = reason == nullptr ? "an error without a reason" : reason;
  ERR_clear_error();
  return text;
}

}  // namespace pt::tls
