// FrontTest: a Front on a free port with services made of functions.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "api/grpc_call.h"
#include "api/http_call.h"
#include "base/mutex.h"
#include "raw_client.h"
#include "server/front.h"
#include "server/latch.h"

namespace pt::server {

inline api::HttpReply TextReply(std::string text) {
  api::HttpReply reply;
  reply.content_type = "text/plain";
  if (!text.empty()) reply.body.push_back(Slice::OfString(std::move(text)));
  return reply;
}

inline std::string Ok(const std::string& body) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\nContent-Type: text/plain\r\n\r\n" + body;
}

struct FakeCall {
  std::string method;
  std::string target;
  Slice body;
  api::PortRole role = api::PortRole::kHttp;
  RefPtr<api::HttpReplySink> sink;
};

class FakeHttp : public api::HttpService {
 public:
  api::BodyPlan plan;
  std::function<void(FakeCall)> on_call = [](FakeCall call) {
    call.sink->Send(
        TextReply(call.method + " " + call.target + " " + std::string(call.body.view())));
  };

  api::BodyPlan Plan(const api::HttpRequestHead&, api::PortRole) const override { return plan; }
  void Handle(const api::HttpRequestHead& head, Slice body, api::PortRole port,
              const api::CallContext&, RefPtr<api::HttpReplySink> sink) override {
    on_call({std::string(head.method), std::string(head.target), std::move(body), port,
             std::move(sink)});
  }
};

class FakeGrpc : public api::GrpcService {
 public:
  RefPtr<api::GrpcHandler> Start(const api::GrpcCallInfo&, const api::CallContext&,
                                 RefPtr<api::GrpcSink>) override {
    return nullptr;
  }
};

// Calls that the test answers itself, from its own thread.
class HeldCalls {
 public:
  void Add(FakeCall call) {
    MutexLock lock(&mu_);
    calls_.push_back(std::move(call));
    changed_.NotifyAll();
  }
  // Waits for the next one.
  FakeCall Take() {
    MutexLock lock(&mu_);
    while (calls_.empty()) changed_.Wait(&mu_);
    FakeCall call = std::move(calls_.front());
    calls_.erase(calls_.begin());
    return call;
  }

 private:
  Mutex mu_;
  CondVar changed_;
  std::vector<FakeCall> calls_ GUARDED_BY(mu_);
};

class CountingResponder : public Responder {
 public:
  explicit CountingResponder(std::shared_ptr<Latch> cancelled) {
    OnCancel([cancelled] { cancelled->CountDown(); });
  }
  void Send(InferResponse&&, Finality) override {}
};

class FrontTest : public ::testing::Test {
 protected:
  FrontTest() : budget_(uint64_t{64} << 20) {
    services_.http = &http_;
    services_.grpc = &grpc_;
    services_.pool = &pool_;
    services_.budget = &budget_;
  }
  void TearDown() override {
    [[maybe_unused]] const Status status = Stop();
    EXPECT_EQ(budget_.claimed(), 0u);
    EXPECT_EQ(pool_.live_blocks(), 0u);
  }

  static Endpoint Tcp(api::PortRole role = api::PortRole::kHttp) {
    Endpoint endpoint{role, "HTTP", "HTTPService", {}};
    endpoint.listen.address = "127.0.0.1";
    return endpoint;
  }
  void Start(int loops = 1, std::vector<Endpoint> endpoints = {Tcp()}) {
    front_ = std::make_unique<Front>(&services_, loops);
    const Status status = front_->Start(endpoints);
    ASSERT_TRUE(status.ok()) << status.ToString();
  }
  Status Stop(Duration patience = std::chrono::seconds(30)) {
    return front_ ? front_->Stop(std::chrono::steady_clock::now() + patience) : Status();
  }
  int port() const { return front_->port(api::PortRole::kHttp); }

  FakeHttp http_;
  FakeGrpc grpc_;
  BlockPool pool_;
  MemoryBudget budget_;
  Services services_;
  std::unique_ptr<Front> front_;
};

}  // namespace pt::server
