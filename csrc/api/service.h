// Service: what the server means, free of protocols: find a model, submit, tell health. REST and
// gRPC translate to and from it.
//
// Thread rule: thread-safe unless said. Owner rule: borrows everything, owned by server/.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "api/access.h"
#include "api/call_context.h"
#include "base/log.h"
#include "base/status.h"
#include "infer/request.h"
#include "repo/repository.h"
#include "tensor/regions.h"

namespace pt::api {

// What the ports of cloud providers go to.
struct CloudOptions {
  std::string sagemaker_model;
  std::string sagemaker_root;       // models that are loaded by a call lie below
  std::string vertex_health_route;  // "/health"
  std::string vertex_predict_route;
  std::string vertex_model;  // empty: the only one that is served
};

class Tracer;

enum class HasDevices { kNo, kYes };

struct ServiceOptions {
  std::string server_id = "triton";
  std::string server_version;
  bool strict_readiness = true;
  uint64_t max_body_bytes = uint64_t{1} << 31;   // any request body, gRPC message
  uint64_t max_json_bytes = uint64_t{64} << 20;  // JSON part, decompressed body
  int max_json_depth = 100;
  // Request headers whose names match become request parameters; empty: none.
  std::string http_header_forward_pattern;
  std::string grpc_header_forward_pattern;
  AccessRules http_access;
  AccessRules grpc_access;
  CloudOptions cloud;
};

class Service {
 public:
  Service(ServiceOptions options, repo::Repository* repository, Logger* logger);

  const ServiceOptions& options() const { return options_; }
  repo::Repository& repository() const { return *repository_; }
  Logger* logger() const { return logger_; }
  // What clients have registered; null: they may not.
  RegionTable* regions() const { return regions_; }
  // Lets clients register memory, of devices too where there may be some. REQUIRES: called before
  // the first request.
  void AllowClientMemory(RegionTable* regions, HasDevices has_devices);
  // Lets requests be traced. REQUIRES: called before the first request; borrowed.
  void AllowTracing(Tracer* tracer);
  // Null: this server has no tracer.
  Tracer* tracer() const { return tracer_; }
  // The tracer, while any request may be traced; else null. One relaxed load.
  Tracer* ActiveTracer() const;
  // The protocol extensions in the order of spec/triton-frontend 1.6 that this server has.
  const std::vector<std::string>& extensions() const { return extensions_; }

  bool is_live() const { return is_live_.load(std::memory_order_acquire); }
  bool is_ready() const;
  void set_live(bool is_live) { is_live_.store(is_live, std::memory_order_release); }
  // Shutdown began: ready turns false, new inference is still accepted while ports answer.
  void set_draining() { is_draining_.store(true, std::memory_order_release); }
  bool is_draining() const { return is_draining_.load(std::memory_order_acquire); }

  Result<ModelHandle> FindModel(std::string_view name, std::string_view version) const;
  // Collects the validated request for this round's end. Loop driver only.
  void Infer(RequestPtr request, const CallContext& context);

 private:
  const ServiceOptions options_;
  repo::Repository* const repository_;
  Logger* const logger_;
  RegionTable* regions_ = nullptr;
  Tracer* tracer_ = nullptr;
  std::vector<std::string> extensions_;
  std::atomic<bool> is_live_{false};
  std::atomic<bool> is_draining_{false};
};

}  // namespace pt::api
