// Peers that a stream with TLS must not take, and what they can do to it.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>

#include "net/stream_tls_kit.h"

namespace pt::net {
namespace {

using StreamTlsPeersTest = StreamTlsTest;

TEST_F(StreamTlsPeersTest, AClientInClearTextIsClosed) {
  const auto end = NewEnd();
  const std::string request = "GET / HTTP/1.1\r\n\r\n";
  ASSERT_GT(send(end->peer->fd(), request.data(), request.size(), 0), 0);
  EXPECT_TRUE(end->Run([&] { return end->broken == 1; }));
  EXPECT_EQ(end->failure, "http request");
  char byte = 0;
  EXPECT_EQ(recv(end->peer->fd(), &byte, 1, 0), 0);
}

TEST_F(StreamTlsPeersTest, ClientsNeedTheCertificateThatIsAskedFor) {
  const auto context = MakeServerContext(true);
  const struct {
    const TlsTestPair* client;
    const char* failure;  // null: it may come in
  } kRows[] = {
      {&World().client, nullptr},
      {nullptr, "peer did not return a certificate"},
      {&World().strange_client,
       "certificate verify failed: unable to get local issuer certificate"},
  };
  for (const auto& row : kRows) {
    TlsEnd end(loop_.get(), &turns_, *context, row.client);
    end.Run(
        [&] { return (end.peer->Shake() && !end.stream->is_in_handshake()) || end.broken > 0; });
    EXPECT_EQ(end.broken, row.failure == nullptr ? 0 : 1);
    EXPECT_EQ(end.failure, row.failure == nullptr ? "" : row.failure);
  }
}

TEST_F(StreamTlsPeersTest, OneHandshakeARound) {
  const auto a = NewEnd();
  const auto b = NewEnd();
  a->peer->Shake();
  b->peer->Shake();
  char byte = 0;
  const auto has_answer = [&byte](const TlsEnd& end) {
    return recv(end.peer->fd(), &byte, 1, MSG_PEEK) == 1;
  };
  loop_->RunRound(Wait::kNo);
  EXPECT_NE(has_answer(*a), has_answer(*b));
  loop_->RunRound(Wait::kNo);
  EXPECT_TRUE(has_answer(*a) && has_answer(*b));
}

TEST_F(StreamTlsPeersTest, TheOldestOfTooManyHandshakesIsGivenUp) {
  TlsTurns turns(2);
  TlsEnd first(loop_.get(), &turns, *context_);
  ASSERT_TRUE(first.Connect());  // counts no more
  TlsEnd second(loop_.get(), &turns, *context_);
  TlsEnd third(loop_.get(), &turns, *context_);
  TlsEnd fourth(loop_.get(), &turns, *context_);
  EXPECT_EQ(first.broken + third.broken + fourth.broken, 0);
  EXPECT_EQ(second.broken, 1);
  EXPECT_EQ(turns.count(), 2u);
  EXPECT_TRUE(third.Connect());
  EXPECT_TRUE(fourth.Connect());
}

// Nonsense at every stage: the stream breaks, or waits for more, and nothing else.
TEST_F(StreamTlsPeersTest, TakesAnyBytes) {
  std::mt19937 random(20);
  for (int round = 0; round < 300; ++round) {
    const auto end = NewEnd();
    const bool is_established = round % 3 == 0 && end->Connect();
    std::string bytes(1 + random() % 600, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    if (round % 3 != 1) {  // as a record of some kind
      bytes[0] = static_cast<char>(20 + random() % 5);
      bytes.replace(1, std::min<size_t>(2, bytes.size() - 1), "\x03\x03",
                    std::min<size_t>(2, bytes.size() - 1));
    }
    send(end->peer->fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (round % 2 == 0) shutdown(end->peer->fd(), SHUT_WR);
    for (int i = 0; i < 20; ++i) loop_->RunRound(Wait::kNo);
    EXPECT_LE(end->broken, 1);
    EXPECT_TRUE(end->received.empty());
    if (round % 2 == 0) {
      EXPECT_EQ(end->broken + end->ended, 1) << round << is_established;
    }
  }
}

// A true first message with one byte changed.
TEST_F(StreamTlsPeersTest, TakesSpoiltHandshakes) {
  std::mt19937 random(21);
  for (int round = 0; round < 200; ++round) {
    const auto end = NewEnd();
    BIO* const out = BIO_new(BIO_s_mem());
    SSL_set0_wbio(end->peer->ssl(), out);
    end->peer->Shake();
    char* data = nullptr;
    const auto size = static_cast<size_t>(BIO_get_mem_data(out, &data));
    ASSERT_GT(size, 0u);
    data[random() % size] ^= static_cast<char>(1 + random() % 255);
    send(end->peer->fd(), data, size, MSG_NOSIGNAL);
    shutdown(end->peer->fd(), SHUT_WR);
    for (int i = 0; i < 20; ++i) loop_->RunRound(Wait::kNo);
    EXPECT_EQ(end->broken, 1);
  }
}

}  // namespace
}  // namespace pt::net
