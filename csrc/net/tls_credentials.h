// TlsCredentials: a server's certificate, its key, and who may sign clients' certificates, as their
// files say now. Certificates are renewed while a server runs: files that have changed are read
// again, for the connections that come then; while they are broken (a certificate whose key is not
// there yet) what was read before stays.
//
// Thread rule: one thread at a time (the loop that accepts). Owner rule: owned by the endpoint.
#pragma once

#include <sys/stat.h>

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "net/tls.h"

namespace pt::net {

struct TlsFile {
  std::string option;  // that names it, for messages
  std::string path;
};

struct TlsFiles {
  TlsFile certificate;
  TlsFile key;
  std::optional<TlsFile> client_roots;  // none: clients are not asked for certificates
};

// Whom a client believes: the authorities in that file, or those of the system where it has no
// path. Errors: as TlsCredentials::Open.
Result<std::shared_ptr<const TlsContext>> LoadTlsTrust(const TlsFile& roots);

class TlsCredentials {
 public:
  // Errors: InvalidArgument that names option and file, and what is wrong with it; Unavailable when
  // TLS can't be loaded.
  static Result<std::unique_ptr<TlsCredentials>> Open(TlsFiles files, Logger* logger);

  // For the next connection. Looks at the files once a second at most.
  const std::shared_ptr<const TlsContext>& Current(TimePoint now);

 private:
  // When files were written, and which they are: all zero where there is none.
  struct Look {
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = 0;
    int64_t written_ns = 0;
    int64_t changed_ns = 0;
    bool operator==(const Look&) const = default;
  };
  using Looks = std::array<Look, 3>;

  TlsCredentials(TlsFiles files, const TlsMaker* maker, Logger* logger);
  Looks LookAtAll() const;
  static Look LookAt(const std::string& path);
  Result<std::shared_ptr<const TlsContext>> Load() const;
  Status Explain(const TlsProblem& problem) const;
  Status Refresh();

  const TlsFiles files_;
  const TlsMaker* const maker_;
  Logger* const logger_;
  Looks looks_;  // before the last try to read
  TimePoint looked_at_;
  std::shared_ptr<const TlsContext> current_;  // shared: sessions are made while it is replaced
};

}  // namespace pt::net
