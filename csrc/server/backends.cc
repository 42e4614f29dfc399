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

BackendOpener MakeBackendOpener(Logger* /*logger*/) {
  return [](const VersionSource& source) -> Result<std::unique_ptr<BackendLoader>> {
    for (const BackendRow& row : kBackends) {
      if (row.name == source.backend) return row.open(source);
    }
    return NotFound("unable to find backend library for backend '" + source.backend +
                    "', try specifying runtime on the model configuration.");
  };
}

}  // namespace pt::server
