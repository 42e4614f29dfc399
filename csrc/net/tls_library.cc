#include "net/tls_library.h"

#include <dlfcn.h>

#include <filesystem>
#include <string>
#include <system_error>

namespace pt::net {
namespace {

constexpr char kFileName[] = "libpytriton_tls.so";

// Of the library or program that holds this function.
std::filesystem::path OwnFolder() {
  std::error_code error;
  Dl_info own{};
  std::filesystem::path file;
  if (dladdr(reinterpret_cast<const void*>(&OpenTlsLibrary), &own) != 0 &&
      own.dli_fname != nullptr) {
    file = own.dli_fname;
  }
  // A program may have been started by a bare name.
  if (!file.has_parent_path()) file = std::filesystem::read_symlink("/proc/self/exe", error);
  return file.parent_path();
}

}  // namespace

Result<const TlsMaker*> OpenTlsLibrary() {
  const std::string path = OwnFolder() / kFileName;
  void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == nullptr) {
    return Unavailable(std::string("expected the library for TLS, got: ") + dlerror());
  }
  using Get = const TlsMaker* (*)();
  const Get get = reinterpret_cast<Get>(dlsym(library, kTlsMakerName));
  if (get == nullptr) return Unavailable("expected the library for TLS, got another: " + path);
  return get();
}

}  // namespace pt::net
