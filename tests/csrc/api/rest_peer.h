// RestPeer: a RestService over models that run on the calling thread, and a sink that keeps what it
// is sent. For tests and fuzz targets.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "api/prometheus.h"
#include "api/rest_service.h"
#include "infer/backend.h"
#include "infer/scheduler.h"
#include "repo/repository.h"

namespace pt::api {

// Keeps the answer of one call.
class KeptReply final : public HttpReplySink {
 public:
  void Send(HttpReply&& reply) override {
    ++sends;
    head = std::move(reply);
    body = Flatten(head.body);
  }
  void SendHead(HttpReply&& reply) override {
    ++sends;
    head = std::move(reply);
  }
  void SendChunk(SliceList&& bytes) override { chunks.push_back(Flatten(bytes)); }
  void End() override { has_ended = true; }
  void CancelWith(RefPtr<Responder> who) override { responder = std::move(who); }

  int sends = 0;
  HttpReply head;
  std::string body;
  std::vector<std::string> chunks;
  bool has_ended = false;
  RefPtr<Responder> responder;
};

// Input i comes back as output i.
inline InferResponse Echo(const InferRequest& request) {
  InferResponse response;
  for (const InputTensor& input : request.inputs) {
    if (request.WantsOutput(input.index)) response.outputs.push_back({input.index, input.tensor});
  }
  return response;
}

using RunModel = std::function<void(RequestPtr request)>;

class InlineScheduler final : public Scheduler {
 public:
  explicit InlineScheduler(const RunModel* run) : run_(run) {}
  Status Start() override { return {}; }
  void Submit(RequestList&& requests, LoopHost*) override {
    for (RequestPtr& request : requests) (*run_)(std::move(request));
  }
  int64_t queued() const override { return 3; }
  void Stop() override {}

 private:
  const RunModel* const run_;
};

struct PeerCall {
  std::string method = "POST";
  std::string target;
  std::string body;
  std::vector<HeaderView> headers;
  PortRole port = PortRole::kHttp;
};

class RestPeer {
 public:
  explicit RestPeer(ServiceOptions options = {})
      : run([](RequestPtr request) { request->Respond(Echo(*request), Finality::kFinal); }),
        repository([this](Model*, Backend*) -> Result<std::unique_ptr<Scheduler>> {
          return std::unique_ptr<Scheduler>(std::make_unique<InlineScheduler>(&run));
        }),
        logger(std::move(*Logger::Create(LogOptions{}))),
        service(std::move(options), &repository, logger.get()),
        prometheus(&repository, HostMetrics::kOff),
        rest(&service, &prometheus) {
    service.set_live(true);
  }

  RefPtr<KeptReply> Do(const PeerCall& call) {
    HttpRequestHead head;
    head.method = call.method;
    head.target = call.target;
    head.headers = call.headers;
    SubmitRound round(nullptr);
    CallContext context;
    context.round = &round;
    context.pool = &pool;
    context.now = now;
    auto sink = MakeRef<KeptReply>();
    rest.Handle(head, Slice::Copy(call.body), call.port, context, sink);
    round.Flush();
    return sink;
  }

  BlockPool pool;
  TimePoint now = TimePoint() + std::chrono::hours(1);
  RunModel run;
  repo::Repository repository;
  std::unique_ptr<Logger> logger;
  Service service;
  Prometheus prometheus;
  RestService rest;
};

// A model whose outputs are its inputs.
inline ModelConfig EchoConfig(std::string name, std::vector<TensorSpec> tensors,
                              int64_t max_batch_size) {
  ModelConfig config;
  config.name = std::move(name);
  config.backend = "python";
  config.max_batch_size = max_batch_size;
  config.inputs = tensors;
  config.outputs = std::move(tensors);
  return config;
}

inline TensorSpec Spec(std::string name, DataType type, Shape dims) {
  TensorSpec spec;
  spec.name = std::move(name);
  spec.type = type;
  spec.dims = std::move(dims);
  return spec;
}

}  // namespace pt::api
