// Http2Test: a Front whose gRPC service is made of functions, and a journal of what its handlers
// saw.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "front_fixture.h"
#include "http2_client.h"
#include "wire/grpc_frame.h"

namespace pt::server {

inline constexpr const char* kMethod = "/test.Service/Method";

inline std::string Framed(std::string_view message, bool is_compressed = false) {
  const auto prefix = wire::GrpcPrefix(static_cast<uint32_t>(message.size()), is_compressed);
  return std::string(prefix.data(), prefix.size()).append(message);
}

// The messages of an answer.
inline std::vector<std::string> Messages(std::string_view body) {
  std::vector<std::string> messages;
  wire::GrpcDeframer deframer;
  for (auto piece = deframer.Next(&body); piece.kind != wire::GrpcPiece::Kind::kNone;
       piece = deframer.Next(&body)) {
    EXPECT_EQ(piece.kind, wire::GrpcPiece::Kind::kWhole);
    messages.emplace_back(piece.bytes);
    if (piece.kind != wire::GrpcPiece::Kind::kWhole) break;
  }
  return messages;
}

inline SliceList One(std::string_view text) {
  SliceList list;
  list.push_back(Slice::Copy(text));
  return list;
}

// What handlers did, seen from the test's thread.
class Journal {
 public:
  void Add(const std::string& line) {
    MutexLock lock(&mu_);
    lines_.push_back(line);
    changed_.NotifyAll();
  }
  // Waits until `line` was added.
  void Await(const std::string& line) {
    MutexLock lock(&mu_);
    while (std::find(lines_.begin(), lines_.end(), line) == lines_.end()) changed_.Wait(&mu_);
  }
  int Count(const std::string& line) {
    MutexLock lock(&mu_);
    return static_cast<int>(std::count(lines_.begin(), lines_.end(), line));
  }

 private:
  Mutex mu_;
  CondVar changed_;
  std::vector<std::string> lines_ GUARDED_BY(mu_);
};

// A handler made of functions.
class TestHandler : public api::GrpcHandler {
 public:
  TestHandler(RefPtr<api::GrpcSink> sink, Journal* journal)
      : sink_(std::move(sink)), journal_(journal) {}

  std::function<void(TestHandler*, Slice)> on_message = [](TestHandler* self, Slice message) {
    self->sink().SendUnary({std::move(message)});
  };
  std::function<void(TestHandler*)> on_half_close = [](TestHandler*) {};
  bool takes_parts = false;
  std::span<char> place;  // where parts may be received

  void OnMessage(Slice message, const api::CallContext&) override {
    on_message(this, std::move(message));
  }
  bool BeginMessage(uint32_t size, const api::CallContext&) override {
    if (takes_parts) journal_->Add("begin " + std::to_string(size));
    return takes_parts;
  }
  void OnMessagePart(std::string_view part, const api::CallContext&) override {
    parts_.append(part);
  }
  std::span<char> MessagePlace() const override { return place; }
  void OnPlaced(size_t count) override {
    parts_.append(place.data(), count);
    journal_->Add("placed");
  }
  void EndMessage(const api::CallContext&) override { on_message(this, Slice::Copy(parts_)); }
  void OnHalfClose(const api::CallContext&) override {
    journal_->Add("half close");
    on_half_close(this);
  }
  void OnCancel() override { journal_->Add("cancel"); }
  api::GrpcSink& sink() { return *sink_; }
  RefPtr<api::GrpcSink> sink_ref() { return sink_; }

 private:
  RefPtr<api::GrpcSink> sink_;
  Journal* const journal_;
  std::string parts_;
};

class TestGrpc : public api::GrpcService {
 public:
  explicit TestGrpc(Journal* journal) : journal_(journal) {}
  std::function<void(TestHandler*)> prepare = [](TestHandler*) {};
  TimePoint deadline;

  RefPtr<api::GrpcHandler> Start(const api::GrpcCallInfo& info, const api::CallContext&,
                                 RefPtr<api::GrpcSink> sink) override {
    deadline = info.deadline;
    journal_->Add("start");
    if (info.path != kMethod) return nullptr;
    auto handler = MakeRef<TestHandler>(std::move(sink), journal_);
    prepare(handler.get());
    return handler;
  }

 private:
  Journal* const journal_;
};

class Http2Test : public FrontTest {
 protected:
  Http2Test() : service_(&journal_) { services_.grpc = &service_; }
  void TearDown() override {
    for (std::thread& thread : threads_) thread.join();
    FrontTest::TearDown();
  }

  // One unary call with that message.
  Http2Peer::Answer Call(Http2Client* client, std::string_view message,
                         const Http2Peer::Fields& more = {}, bool is_compressed = false) {
    const int32_t id = client->peer().Open(Http2Peer::Grpc(kMethod, more));
    client->peer().Send(id, Framed(message, is_compressed));
    client->peer().End(id);
    return client->Await(id);
  }
  // Sends these raw bytes as the body of a call.
  Http2Peer::Answer CallRaw(Http2Client* client, std::string_view body,
                            const Http2Peer::Fields& more = {}) {
    const int32_t id = client->peer().Open(Http2Peer::Grpc(kMethod, more));
    client->peer().Send(id, body);
    client->peer().End(id);
    return client->Await(id);
  }
  // The calls' sinks, kept to be answered by the test.
  void KeepSinks() {
    service_.prepare = [this](TestHandler* handler) {
      handler->on_message = [this](TestHandler* self, Slice) {
        sinks_.push_back(self->sink_ref());
        journal_.Add("message");
      };
    };
  }

  Journal journal_;
  TestGrpc service_;
  std::vector<std::thread> threads_;
  std::vector<RefPtr<api::GrpcSink>> sinks_;  // loop thread until the journal says "message"
};

}  // namespace pt::server
