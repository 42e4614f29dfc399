// A stream that speaks TLS and its client, in one thread, and the certificates of both.
//
// Thread rule: one thread. Owner rule: a test owns the ends it makes; they borrow its loop and
// turns.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <functional>
#include <memory>
#include <string>

#include "net/stream.h"
#include "net/tls_kit.h"
#include "net/tls_library.h"

namespace pt::net {

// An authority and what it signed: made once, making keys takes longer than a test.
struct TlsWorld {
  TlsTestPair authority = MakeTestPair({.name = "authority"});
  TlsTestPair stranger = MakeTestPair({.name = "stranger"});
  TlsTestPair server = MakeTestPair({.by = &authority});
  TlsTestPair client = MakeTestPair({.name = "client", .by = &authority});
  TlsTestPair strange_client = MakeTestPair({.name = "client", .by = &stranger});
};

inline const TlsWorld& World() {
  static const TlsWorld world;
  return world;
}

inline std::shared_ptr<const TlsContext> MakeServerContext(bool is_mutual) {
  const auto maker = OpenTlsLibrary();
  if (!maker.ok()) ADD_FAILURE() << maker.status().message();
  if (!maker.ok()) return nullptr;
  TlsProblem problem;
  auto made = (*maker)->MakeServer({World().server.CertificatePem(), World().server.KeyPem(),
                                    is_mutual ? World().authority.CertificatePem() : ""},
                                   &problem);
  EXPECT_NE(made, nullptr) << problem.why;
  return made;
}

// The server's end of one connection, and its client in the same thread.
class TlsEnd : public StreamHandler {
 public:
  TlsEnd(Loop* loop, TlsTurns* turns, const TlsContext& context,
         const TlsTestPair* client = nullptr)
      : loop_(loop) {
    int pair[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    peer = std::make_unique<TlsPeer>(TlsPeer::Side::kClient, pair[1], &World().authority, client);
    stream = std::make_unique<Stream>(loop, pair[0], this);
    stream->Secure(context.NewSession(pair[0], {}), turns);
    EXPECT_TRUE(stream->Open().ok());
  }

  void OnReadable() override {
    ++readable;
    std::string part(bytes_a_read, '\0');
    const ReadResult result = stream->Read(part.data(), part.size());
    if (result.state == ReadState::kData) received.append(part, 0, result.count);
    if (result.state == ReadState::kEof) {
      ++ended;
      stream->PauseReading();
    }
    if (result.state == ReadState::kBroken) OnBroken();
    if (pauses_after_read) stream->PauseReading();
  }
  void OnWritable() override { stream->Flush(); }
  void OnBroken() override {
    ++broken;
    failure = stream->TlsFailure();
    stream->Close();
  }
  void OnDrained() override { ++drained; }

  // Runs both ends until `done`, or for long enough to know that it won't come.
  bool Run(const std::function<bool()>& done) {
    for (int i = 0; i < 20000; ++i) {
      if (done()) return true;
      loop_->RunRound(Wait::kNo);
    }
    return done();
  }
  bool Connect() {
    return Run([this] { return peer->Shake() && !stream->is_in_handshake(); });
  }

  std::unique_ptr<TlsPeer> peer;
  std::unique_ptr<Stream> stream;
  std::string received;
  std::string failure;
  size_t bytes_a_read = 65536;
  bool pauses_after_read = false;
  int readable = 0;
  int ended = 0;
  int broken = 0;
  int drained = 0;

 private:
  Loop* const loop_;
};

class StreamTlsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto loop = Loop::Create();
    ASSERT_TRUE(loop.ok());
    loop_ = std::move(loop).value();
    context_ = MakeServerContext(false);
    ASSERT_NE(context_, nullptr);
  }
  void TearDown() override { EXPECT_EQ(turns_.count(), 0u); }

  std::unique_ptr<TlsEnd> NewEnd(const TlsTestPair* client = nullptr) {
    return std::make_unique<TlsEnd>(loop_.get(), &turns_, *context_, client);
  }

  std::unique_ptr<Loop> loop_;
  TlsTurns turns_;
  std::shared_ptr<const TlsContext> context_;
};

}  // namespace pt::net
