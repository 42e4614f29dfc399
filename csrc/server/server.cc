#include "server/server.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/grpc_server.h"
#include "api/prometheus.h"
#include "api/rest_service.h"
#include "api/service.h"
#include "api/worker_calls.h"
#include "backend/worker_backend.h"
#include "base/alarm.h"
#include "base/block.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/shared_region.h"
#include "repo/model_repositories.h"
#include "repo/repository.h"
#include "schedule/exclusive_groups.h"
#include "schedule/factory.h"
#include "schedule/response_cache.h"
#include "server/backends.h"
#include "server/cache_setup.h"
#include "server/cuda_metrics.h"
#include "server/front.h"
#include "server/repository_metrics.h"
#include "server/settings.h"
#include "server/trace_setup.h"
#include "tensor/cuda_on_demand.h"
#include "tensor/regions.h"

namespace pt::server {
namespace {

// What lives from one Start to its Stop. The order is that of who borrows whom.
struct Run {
  Run(const Settings& settings, repo::Repository* repository, Logger* logger,
      const schedule::ResponseCache* cache, CudaOnDemand* cuda)
      : regions(RegionTable::DefaultLimit(), [cuda] { return cuda->Get(); }),
        service(settings.service, repository, logger),
        prometheus(repository, settings.host_metrics),
        rest(&service, &prometheus),
        grpc(&service),
        front(&services, settings.loop_count) {
    services.http = &rest;
    services.grpc = &grpc;
    services.logger = logger;
    services.limits = settings.limits;
    if (settings.allows_client_memory) {
      const bool has_driver = cuda->is_installed();
      service.AllowClientMemory(&regions,
                                has_driver ? api::HasDevices::kYes : api::HasDevices::kNo);
    }
    prometheus.Add({"pytriton_connections", "Open client connections", api::MetricType::kGauge,
                    [this] { return static_cast<double>(front.connection_count()); }});
    if (cache != nullptr) AddCacheMetrics(cache, &prometheus);
    if (cuda->is_installed()) AddCudaMetrics(cuda, &prometheus);
  }

  RegionTable regions;
  api::Service service;
  api::Prometheus prometheus;
  api::RestService rest;
  api::GrpcServer grpc;
  Services services;
  Front front;
};

// Address space of the memory that workers can map; takes memory only where it is used.
constexpr size_t kSharedSpace = size_t{1} << 38;

// For the last traces, whatever the requests have left of the exit timeout.
constexpr Duration kTraceFlush = std::chrono::seconds(1);

// Without repositories there are no workers at first, and nothing to share. Without shared memory
// models that need workers don't load; all else serves.
enum class Sharing { kShared, kOwn };
std::unique_ptr<BlockPool> MakePool(Sharing sharing) {
  std::shared_ptr<SharedRegion> region;
  if (sharing == Sharing::kShared) {
    auto made =
        SharedRegion::Create("pytriton-pool", kSharedSpace, SharedRegion::Access::kReadWrite);
    if (made.ok()) region = std::move(*made);
  }
  return std::make_unique<BlockPool>(size_t{256} << 20, std::move(region));
}

CudaOptions WithLogger(CudaOptions options, Logger* logger) {
  options.logger = logger;
  return options;
}

Sharing SharingOf(const Settings& settings) {
  return settings.repositories.repositories.empty() ? Sharing::kOwn : Sharing::kShared;
}

}  // namespace

struct Server::Impl {
  Impl(Settings checked, std::unique_ptr<Logger> open_logger)
      : settings(std::move(checked)),
        logger(std::move(open_logger)),
        pool(MakePool(SharingOf(settings))),
        tracer(MakeTracer(settings.trace, logger.get())),
        budget(settings.max_inflight_bytes),
        cuda(std::make_shared<CudaOnDemand>(WithLogger(settings.cuda, logger.get()))),
        cache(settings.cache_bytes == 0
                  ? nullptr
                  : std::make_unique<schedule::ResponseCache>(settings.cache_bytes)),
        repository(
            [this](Model* model, Backend* backend) { return MakeScheduler(model, backend); }) {}

  Result<std::unique_ptr<Scheduler>> MakeScheduler(Model* model, Backend* backend) {
    return schedule::MakeScheduler(
        {model, backend, &clock, &alarm, logger.get(), cache.get(), &exclusive_groups});
  }

  // Makes what loads from model repositories, if there are any.
  Status OpenRepositories();
  // Makes what runs workers, unless there is one.
  Status OpenWorkers() EXCLUDES(workers_mu);
  Status Start() EXCLUDES(lifecycle, mu);
  Status Stop() EXCLUDES(lifecycle, mu);
  std::shared_ptr<Run> run() const EXCLUDES(mu) {
    MutexLock lock(&mu);
    return current;
  }
  int port(api::PortRole role) const {
    const auto running = run();
    return running ? running->front.port(role) : 0;
  }

  const Settings settings;
  const std::unique_ptr<Logger> logger;
  const SteadyClock clock;
  Alarm alarm;
  std::unique_ptr<BlockPool> pool;  // its large blocks are shared with worker processes
  // What workers are given when the pool is not shared: inputs are copied into it.
  std::unique_ptr<BlockPool> worker_pool;
  const std::unique_ptr<api::Tracer> tracer;  // what it holds lies in the pool
  MemoryBudget budget;
  const std::shared_ptr<CudaOnDemand> cuda;
  const std::unique_ptr<schedule::ResponseCache> cache;  // null: none
  schedule::ExclusiveGroups exclusive_groups;

  Mutex lifecycle;   // held through a whole Start or Stop; taken before mu
  mutable Mutex mu;  // held for a moment
  std::shared_ptr<Run> current GUARDED_BY(mu);  // shared with those who look at it while it stops
  // Runs that ended with calls still in the hands of a model: what those calls borrow stays.
  std::vector<std::shared_ptr<Run>> ended GUARDED_BY(mu);

  api::WorkerCalls worker_calls{&repository, tracer.get()};  // keeps the address only
  Mutex workers_mu;
  std::unique_ptr<backend::WorkerBackends> workers;  // null until somebody needs it; then constant
  repo::Repository repository;  // its models go before the rest, and with them every call
  // Loads into the repository; null when no model repository was given. Goes first.
  std::unique_ptr<repo::ModelRepositories> models;
  bool has_begun_loads GUARDED_BY(lifecycle) = false;
  std::unique_ptr<repo::AttachControl> attached;  // null: no process may attach models
};

// What models ask for: loads and unloads as clients have them.
api::ModelHooks MakeModelHooks(repo::ModelRepositories* models) {
  api::ModelHooks hooks;
  hooks.load = [models](const std::string& name, std::optional<std::string> config,
                        std::map<std::string, std::string> files, api::ModelHooks::Done done) {
    models->Load({name, {}, std::move(config), std::move(files)}, std::move(done));
  };
  hooks.unload = [models](const std::string& name, api::ModelHooks::Done done) {
    models->Unload(name, [done = std::move(done)](const Result<repo::UnloadReport>& report) {
      done(report.ok() ? Status() : report.status());
    });
  };
  return hooks;
}

Status Server::Impl::OpenWorkers() {
  MutexLock lock(&workers_mu);
  if (workers != nullptr) return {};
  if (pool->region() == nullptr) worker_pool = MakePool(Sharing::kShared);
  BlockPool* const shared = worker_pool ? worker_pool.get() : pool.get();
  PT_ASSIGN_OR_RETURN(workers, backend::WorkerBackends::Create(settings.workers, shared,
                                                               logger.get(), &worker_calls));
  return {};
}

Status Server::Impl::OpenRepositories() {
  repository.table().LimitDrains(
      {&alarm, settings.repositories.unload_limit, std::max(settings.exit_timeout, Duration(0))});
  if (settings.repositories.repositories.empty()) return {};
  repo::LoadTools tools;
  PT_RETURN_IF_ERROR(OpenWorkers());
  tools.opener = MakeBackendOpener(workers.get());
  tools.factory = [this](Model* model, Backend* backend) { return MakeScheduler(model, backend); };
  tools.table = &repository.table();
  tools.program = &repository.program();
  tools.logger = logger.get();
  // Models that don't say where they run go to a GPU if there is one: it has to be looked for now.
  const Result<int> gpus = cuda->Count();
  tools.gpus.resize(gpus.ok() ? static_cast<size_t>(*gpus) : 0);
  std::iota(tools.gpus.begin(), tools.gpus.end(), 0);
  PT_ASSIGN_OR_RETURN(models,
                      repo::ModelRepositories::Create(settings.repositories, tools, &alarm));
  repository.Join(models.get());
  worker_calls.set_model_hooks(MakeModelHooks(models.get()));
  return {};
}

Status Server::Impl::Start() {
  MutexLock serial(&lifecycle);
  if (run()) return AlreadyExists("expected a server that is stopped, got one that serves");
  auto next = std::make_shared<Run>(settings, &repository, logger.get(), cache.get(), cuda.get());
  next->prometheus.AddCustom(&worker_calls.metrics());
  if (models != nullptr) AddRepositoryMetrics(repository, &next->prometheus);
  next->services.pool = pool.get();
  next->services.budget = &budget;
  next->service.AllowTracing(tracer.get());
  next->service.set_live(true);
  Status status = next->front.Start(settings.endpoints);
  if (!status.ok()) {
    PT_LOG(logger.get(), kError, status.message());
    return status;
  }
  if (models != nullptr && std::exchange(has_begun_loads, true)) {
    models->Resume();
  } else if (models != nullptr) {
    models->Start();
  }
  MutexLock lock(&mu);
  current = std::move(next);
  return {};
}

Status Server::Impl::Stop() {
  MutexLock serial(&lifecycle);
  const std::shared_ptr<Run> running = run();
  if (!running) return {};
  running->service.set_draining();
  if (attached != nullptr) attached->Close();
  PT_LOG(logger.get(), kInfo, "Waiting for in-flight requests to complete.");
  const TimePoint deadline = clock.Now() + settings.exit_timeout;
  if (models != nullptr) models->Pause();  // what nobody will ask holds up no end
  Status status = running->front.Stop(deadline);
  if (models != nullptr && !models->AwaitIdle(deadline) && status.ok()) {
    status = Unavailable("models were still loading when the exit timeout was over");
  }
  running->service.set_live(false);
  tracer->Flush(std::max(deadline, clock.Now() + kTraceFlush));
  MutexLock lock(&mu);
  current.reset();
  if (!status.ok()) {
    PT_LOG(logger.get(), kError, status.message());
    ended.push_back(running);
  }
  return status;
}

Result<std::unique_ptr<Server>> Server::Create(const OptionValues& options) {
  PT_ASSIGN_OR_RETURN(Settings settings, ReadSettings(options));
  PT_ASSIGN_OR_RETURN(auto logger, Logger::Create(settings.log));
  auto impl = std::make_unique<Impl>(std::move(settings), std::move(logger));
  PT_RETURN_IF_ERROR(impl->OpenRepositories());
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() { [[maybe_unused]] const Status status = Stop(); }

Status Server::Start() { return impl_->Start(); }

Status Server::Stop() { return impl_->Stop(); }

Result<bool> Server::AwaitModels(TimePoint deadline) {
  if (impl_->models == nullptr) return true;
  Result<bool> over = impl_->models->AwaitStart(deadline);
  if (over.ok()) return over;
  PT_LOG(impl_->logger.get(), kError, over.status().ToString());
  if (!impl_->settings.exit_on_error) return true;
  return Status(over.status().code(),
                "creating server: " + std::string(CodeName(over.status().code())) + " - " +
                    over.status().message());
}

Status Server::AddModel(ModelConfig config, repo::BackendMaker maker) {
  const std::string name = config.name + "' version " + std::to_string(config.version);
  const Status status = impl_->repository.AddModel(std::move(config), std::move(maker));
  if (status.ok()) {
    PT_LOG(impl_->logger.get(), kInfo, "successfully loaded '" + name);
  } else {
    PT_LOG(impl_->logger.get(), kError, "failed to load '" + name + ": " + status.ToString());
  }
  return status;
}

Status Server::AddWorkerModel(ModelConfig config, const std::string& backend,
                              const std::string& directory) {
  PT_RETURN_IF_ERROR(impl_->OpenWorkers());
  VersionSource source;
  source.name = config.name;
  source.version = config.version;
  source.backend = backend;
  source.model_dir = source.version_dir = directory;
  auto maker = [workers = impl_->workers.get(), source,
                config]() -> Result<std::unique_ptr<Backend>> {
    PT_ASSIGN_OR_RETURN(const auto loader, workers->Open(source));
    return loader->Create(config);
  };
  return AddModel(std::move(config), std::move(maker));
}

Status Server::RemoveModel(const std::string& name, int64_t version) {
  const Status status = impl_->repository.RemoveModel(name, version);
  if (status.ok()) {
    PT_LOG(impl_->logger.get(), kInfo,
           "successfully unloaded '" + name + "' version " + std::to_string(version));
  }
  return status;
}

void Server::AllowAttaching() {
  impl_->attached = std::make_unique<repo::AttachControl>(impl_->models.get());
  impl_->repository.Join(impl_->attached.get());
}

std::optional<repo::AttachControl::Ask> Server::NextAttachAsk() {
  return impl_->attached == nullptr ? std::nullopt : impl_->attached->Next();
}

void Server::AnswerAttachAsk(uint64_t id, const Status& status) {
  if (impl_->attached != nullptr) impl_->attached->Answer(id, status);
}

void Server::ForgetAttached(const std::string& name) {
  if (impl_->attached != nullptr) impl_->attached->Forget(name);
}

void Server::EnterExclusiveGroup(const std::string& name) {
  impl_->exclusive_groups.Get(name)->Enter();
}

void Server::LeaveExclusiveGroup(const std::string& name) {
  impl_->exclusive_groups.Get(name)->Leave();
}

std::shared_ptr<CudaOnDemand> Server::cuda() const { return impl_->cuda; }

Result<int> Server::gpu_count() const { return impl_->cuda->Count(); }

int Server::http_port() const { return impl_->port(api::PortRole::kHttp); }

int Server::grpc_port() const { return impl_->port(api::PortRole::kGrpc); }

int Server::metrics_port() const { return impl_->port(api::PortRole::kMetrics); }

bool Server::is_ready() const {
  const auto running = impl_->run();
  return running && running->service.is_ready();
}

bool Server::is_running() const { return impl_->run() != nullptr; }

}  // namespace pt::server
