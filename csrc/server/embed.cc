// The public C++ API (include/pytriton/server.h) over server::Server.
#include <utility>

#include "base/options.h"
#include "pytriton/server.h"
#include "server/embed_backend.h"
#include "server/embed_config.h"
#include "server/server.h"

namespace pytriton {

struct ServerOptions::Impl {
  pt::OptionValues values;
};

ServerOptions::ServerOptions() : impl_(std::make_unique<Impl>()) {}
ServerOptions::~ServerOptions() = default;
ServerOptions::ServerOptions(const ServerOptions& other)
    : impl_(std::make_unique<Impl>(*other.impl_)) {}

ServerOptions& ServerOptions::operator=(const ServerOptions& other) {
  if (this != &other) *impl_ = *other.impl_;
  return *this;
}

Status ServerOptions::Set(std::string_view name, std::string_view value) {
  return pt::server::ToPublicStatus(impl_->values.Set(name, value));
}

namespace {

using pt::server::ToPublicStatus;

class EmbeddedServer final : public Server {
 public:
  explicit EmbeddedServer(std::unique_ptr<pt::server::Server> core) : core_(std::move(core)) {}

  Status Start() override {
    pt::Status status = core_->Start();
    if (!status.ok()) return ToPublicStatus(status);
    status = core_->AwaitModels(pt::kNoDeadline).status();
    // Models that the program asked for are missing: it gets no half of a server.
    if (!status.ok()) (void)core_->Stop();
    return ToPublicStatus(status);
  }
  Status Stop() override { return ToPublicStatus(core_->Stop()); }

  Status AddModel(const ModelConfig& config, Callable callable) override {
    if (!callable) return {"Invalid argument", "expected a callable, got an empty function"};
    pt::Result<pt::ModelConfig> core_config = pt::server::ToCoreConfig(config);
    if (!core_config.ok()) return ToPublicStatus(core_config.status());
    // One callable, whatever it keeps, however often clients unload and load the model.
    const auto shared = std::make_shared<const Callable>(std::move(callable));
    auto maker = [shared]() -> pt::Result<std::unique_ptr<pt::Backend>> {
      return std::unique_ptr<pt::Backend>(
          std::make_unique<pt::server::EmbedBackend>([shared](Batch& batch) { (*shared)(batch); }));
    };
    return ToPublicStatus(core_->AddModel(std::move(core_config).value(), std::move(maker)));
  }

  Status RemoveModel(const std::string& name, int64_t version) override {
    return ToPublicStatus(core_->RemoveModel(name, version));
  }

  int http_port() const override { return core_->http_port(); }
  int grpc_port() const override { return core_->grpc_port(); }
  int metrics_port() const override { return core_->metrics_port(); }
  bool ready() const override { return core_->is_ready(); }

 private:
  const std::unique_ptr<pt::server::Server> core_;
};

}  // namespace

std::unique_ptr<Server> Server::Create(const ServerOptions& options, Status* status) {
  pt::Result<std::unique_ptr<pt::server::Server>> core =
      pt::server::Server::Create(options.impl_->values);
  *status = ToPublicStatus(core.status());
  if (!core.ok()) return nullptr;
  return std::make_unique<EmbeddedServer>(std::move(core).value());
}

}  // namespace pytriton
