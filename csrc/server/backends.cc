#include "server/backends.h"

#include <string_view>

#include "backend/identity.h"

namespace pt::server {
namespace {

using Opener = Result<std::unique_ptr<BackendLoader>> (*)(const VersionSource& source);

struct BackendRow {
  std::string_view name;
  Opener open;
};

constexpr BackendRow kBackends[] = {
    {"identity", backend::OpenIdentity},
};

}  // namespace

BackendOpener MakeBackendOpener(backend::WorkerBackends* workers) {
  return [workers](const VersionSource& source) -> Result<std::unique_ptr<BackendLoader>> {
    for (const BackendRow& row : kBackends) {
      if (row.name == source.backend) return row.open(source);
    }
    return workers->Open(source);
  };
}

}  // namespace pt::server
