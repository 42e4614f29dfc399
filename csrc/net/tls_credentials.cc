#include "net/tls_credentials.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/unique_fd.h"
#include "net/tls_library.h"

namespace pt::net {
namespace {

constexpr Duration kLookInterval = std::chrono::seconds(1);
// A bundle of all public authorities is a quarter of this.
constexpr size_t kMaxFileBytes = size_t{1} << 20;

int64_t Nanoseconds(const timespec& time) {
  return int64_t{time.tv_sec} * 1000000000 + time.tv_nsec;
}

// The process may go elsewhere before the files are read again.
void MakeAbsolute(TlsFile* file) {
  std::error_code error;
  const std::filesystem::path path = std::filesystem::absolute(file->path, error);
  if (!error) file->path = path;
}

Status Refuse(const TlsFile& file, std::string_view why) {
  return InvalidArgument(file.option + ": " + std::string(why) + ", in " + file.path);
}

Result<std::string> ReadFile(const TlsFile& file) {
  // A FIFO must not hold up the server.
  const UniqueFd open_file(open(file.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat found{};
  if (!open_file.is_open() || fstat(open_file.get(), &found) != 0) {
    return Refuse(file, std::string("expected a readable file, got: ") + std::strerror(errno));
  }
  if (!S_ISREG(found.st_mode)) return Refuse(file, "expected a file, got something else");
  std::string text(kMaxFileBytes + 1, '\0');
  size_t size = 0;
  ssize_t got = 0;
  while (size < text.size() &&
         (got = read(open_file.get(), text.data() + size, text.size() - size)) > 0) {
    size += static_cast<size_t>(got);
  }
  if (got < 0) {
    return Refuse(file, std::string("expected a readable file, got: ") + std::strerror(errno));
  }
  if (size > kMaxFileBytes) return Refuse(file, "expected at most 1 MiB, got more");
  if (size == 0) return Refuse(file, "expected PEM text, got an empty file");
  text.resize(size);
  return text;
}

}  // namespace

Result<std::shared_ptr<const TlsContext>> LoadTlsTrust(const TlsFile& roots) {
  PT_ASSIGN_OR_RETURN(const TlsMaker* const maker, OpenTlsLibrary());
  std::string pem;
  if (!roots.path.empty()) {
    PT_ASSIGN_OR_RETURN(pem, ReadFile(roots));
  }
  TlsProblem problem;
  std::shared_ptr<const TlsContext> made = maker->MakeClient(pem, &problem);
  if (made == nullptr) return Refuse(roots, problem.why);
  return made;
}

TlsCredentials::TlsCredentials(TlsFiles files, const TlsMaker* maker, Logger* logger)
    : files_(std::move(files)), maker_(maker), logger_(logger) {}

Result<std::unique_ptr<TlsCredentials>> TlsCredentials::Open(TlsFiles files, Logger* logger) {
  PT_ASSIGN_OR_RETURN(const TlsMaker* const maker, OpenTlsLibrary());
  MakeAbsolute(&files.certificate);
  MakeAbsolute(&files.key);
  if (files.client_roots) MakeAbsolute(&*files.client_roots);
  std::unique_ptr<TlsCredentials> made(new TlsCredentials(std::move(files), maker, logger));
  PT_RETURN_IF_ERROR(made->Refresh());
  return made;
}

const std::shared_ptr<const TlsContext>& TlsCredentials::Current(TimePoint now) {
  if (now - looked_at_ < kLookInterval) return current_;
  looked_at_ = now;
  if (LookAtAll() == looks_) return current_;
  const Status status = Refresh();
  if (status.ok()) {
    PT_LOG(logger_, kInfo, "the certificate in " + files_.certificate.path + " was read again");
  } else {
    PT_LOG(logger_, kWarning,
           "the certificate was not renewed, the last one stays: " + status.message());
  }
  return current_;
}

// The look comes first: what is written while the files are read is seen by the next one.
Status TlsCredentials::Refresh() {
  looks_ = LookAtAll();
  PT_ASSIGN_OR_RETURN(current_, Load());
  if (!current_->warning().empty()) {
    PT_LOG(
        logger_, kWarning,
        files_.certificate.option + ": " + current_->warning() + ", in " + files_.certificate.path);
  }
  return {};
}

TlsCredentials::Looks TlsCredentials::LookAtAll() const {
  const std::string none;
  return {LookAt(files_.certificate.path), LookAt(files_.key.path),
          LookAt(files_.client_roots ? files_.client_roots->path : none)};
}

TlsCredentials::Look TlsCredentials::LookAt(const std::string& path) {
  struct stat found{};
  if (stat(path.c_str(), &found) != 0) return {};
  return {found.st_dev, found.st_ino, found.st_size, Nanoseconds(found.st_mtim),
          Nanoseconds(found.st_ctim)};
}

Result<std::shared_ptr<const TlsContext>> TlsCredentials::Load() const {
  TlsServerPem pem;
  PT_ASSIGN_OR_RETURN(pem.certificate, ReadFile(files_.certificate));
  PT_ASSIGN_OR_RETURN(pem.key, ReadFile(files_.key));
  if (files_.client_roots) {
    PT_ASSIGN_OR_RETURN(pem.client_roots, ReadFile(*files_.client_roots));
  }
  TlsProblem problem;
  std::shared_ptr<const TlsContext> made = maker_->MakeServer(pem, &problem);
  if (made == nullptr) return Explain(problem);
  return made;
}

Status TlsCredentials::Explain(const TlsProblem& problem) const {
  switch (problem.part) {
    case TlsPart::kCertificate:
      return Refuse(files_.certificate, problem.why);
    case TlsPart::kKey:
      return Refuse(files_.key, problem.why);
    case TlsPart::kClientRoots:
      return Refuse(files_.client_roots.value_or(TlsFile{}), problem.why);
    case TlsPart::kOther:
      break;
  }
  return Unavailable(problem.why);
}

}  // namespace pt::net
