#include <gtest/gtest.h>
#include <sys/socket.h>

#include <memory>
#include <string>

#include "net/stream_tls_kit.h"

namespace pt::net {
namespace {

TEST_F(StreamTlsTest, CarriesBytesBothWays) {
  const auto end = NewEnd();
  ASSERT_TRUE(end->Connect());
  ASSERT_TRUE(end->peer->Write("question"));
  EXPECT_TRUE(end->Run([&] { return end->received == "question"; }));
  end->stream->Write("answer");
  end->stream->Flush();
  EXPECT_EQ(end->peer->Read(), "answer");
  EXPECT_EQ(end->stream->sent_total(), 6u);
}

TEST_F(StreamTlsTest, SendsWhatWasWrittenBeforeTheHandshake) {
  const auto end = NewEnd();
  end->stream->Write("early");
  end->stream->Flush();
  ASSERT_TRUE(end->Connect());
  EXPECT_EQ(end->peer->Read(), "early");
}

TEST_F(StreamTlsTest, SmallAndLargePiecesArriveInOrderAtASlowReader) {
  const auto end = NewEnd();
  ASSERT_TRUE(end->Connect());
  std::string expected;
  for (int i = 0; i < 60; ++i) {
    const std::string large(20000 + 997 * i, static_cast<char>('a' + i % 26));
    end->stream->Write("head of nine");
    end->stream->Write(Slice::OfString(large));
    expected += "head of nine" + large;
    end->stream->Flush();
  }
  EXPECT_TRUE(end->stream->is_congested());
  std::string got;
  EXPECT_TRUE(end->Run([&] {
    got += end->peer->Read();
    return got.size() >= expected.size();
  }));
  EXPECT_TRUE(got == expected);
  EXPECT_EQ(end->drained, 1);
  EXPECT_EQ(end->stream->queued(), 0u);
}

// epoll knows nothing of bytes that were received with the first ones of a record.
TEST_F(StreamTlsTest, ReadsOnWithoutAnEvent) {
  const auto end = NewEnd();
  ASSERT_TRUE(end->Connect());
  end->bytes_a_read = 1000;
  const std::string sent(16000, 'x');
  ASSERT_TRUE(end->peer->Write(sent));
  EXPECT_TRUE(end->Run([&] { return end->received.size() == sent.size(); }));
  // Nothing is left, and nobody asks for ever.
  const int before = end->readable;
  for (int i = 0; i < 10; ++i) loop_->RunRound(Wait::kNo);
  EXPECT_EQ(end->readable, before);
}

TEST_F(StreamTlsTest, APartOfARecordIsNoReasonToAskAgain) {
  const auto end = NewEnd();
  ASSERT_TRUE(end->Connect());
  // The record is sent in two halves: the client writes into a memory first.
  BIO* const out = BIO_new(BIO_s_mem());
  SSL_set0_wbio(end->peer->ssl(), out);
  ASSERT_TRUE(end->peer->Write(std::string(5000, 'x')));
  char* data = nullptr;
  const auto size = static_cast<size_t>(BIO_get_mem_data(out, &data));
  ASSERT_EQ(send(end->peer->fd(), data, size / 2, 0), static_cast<ssize_t>(size / 2));
  for (int i = 0; i < 10; ++i) loop_->RunRound(Wait::kNo);
  EXPECT_LE(end->readable, 2);
  EXPECT_EQ(end->received, "");
  ASSERT_EQ(send(end->peer->fd(), data + size / 2, size - size / 2, 0),
            static_cast<ssize_t>(size - size / 2));
  EXPECT_TRUE(end->Run([&] { return end->received.size() == 5000; }));
}

TEST_F(StreamTlsTest, WhatTheSessionHoldsComesAfterAPause) {
  const auto end = NewEnd();
  ASSERT_TRUE(end->Connect());
  end->bytes_a_read = 1000;
  end->pauses_after_read = true;
  ASSERT_TRUE(end->peer->Write(std::string(3000, 'x')));
  for (int i = 0; i < 10; ++i) loop_->RunRound(Wait::kNo);
  EXPECT_EQ(end->received.size(), 1000u);
  for (size_t size : {2000u, 3000u}) {
    end->stream->ResumeReading();
    for (int i = 0; i < 10; ++i) loop_->RunRound(Wait::kNo);
    EXPECT_EQ(end->received.size(), size);
  }
}

TEST_F(StreamTlsTest, TellsTheEndOfInputWithAndWithoutCloseNotify) {
  for (const bool says_so : {true, false}) {
    const auto end = NewEnd();
    ASSERT_TRUE(end->Connect());
    ASSERT_TRUE(end->peer->Write("last"));
    if (says_so) {
      SSL_shutdown(end->peer->ssl());
    } else {
      shutdown(end->peer->fd(), SHUT_WR);
    }
    EXPECT_TRUE(end->Run([&] { return end->ended == 1; }));
    EXPECT_EQ(end->received, "last");
    EXPECT_EQ(end->broken, 0);
    end->stream->Write("answer");  // a half-closed connection is still answered
    end->stream->Flush();
    EXPECT_EQ(end->peer->Read(), "answer");
  }
}

TEST_F(StreamTlsTest, TellsThePeerThatNothingMoreComes) {
  for (const bool closes : {false, true}) {
    const auto end = NewEnd();
    ASSERT_TRUE(end->Connect());
    end->stream->Write("bye");
    end->stream->Flush();
    if (closes) {
      end->stream->Close();
    } else {
      end->stream->ShutdownWrite();
    }
    EXPECT_EQ(end->peer->Read(), "bye");
    EXPECT_TRUE(end->peer->WasTold());
  }
}

TEST_F(StreamTlsTest, SurvivesNewKeysOfThePeer) {
  const auto end = NewEnd();
  ASSERT_TRUE(end->Connect());
  for (int i = 0; i < 5; ++i) {
    ASSERT_EQ(SSL_key_update(end->peer->ssl(), SSL_KEY_UPDATE_REQUESTED), 1);
    ASSERT_TRUE(end->peer->Write("x"));
    end->Run([&] { return end->received.size() == static_cast<size_t>(i) + 1; });
    end->stream->Write("y");
    end->stream->Flush();
    EXPECT_EQ(end->peer->Read(), "y");
  }
  EXPECT_EQ(end->received, "xxxxx");
}

TEST_F(StreamTlsTest, RefusesOldProtocols) {
  const auto end = NewEnd();
  SSL_set_min_proto_version(end->peer->ssl(), TLS1_VERSION);
  SSL_set_max_proto_version(end->peer->ssl(), TLS1_1_VERSION);
  SSL_set_security_level(end->peer->ssl(), 0);
  EXPECT_FALSE(end->Run([&] { return end->peer->Shake() || end->broken == 1; }) &&
               end->broken == 0);
  EXPECT_EQ(end->broken, 1);
}

TEST_F(StreamTlsTest, ChoosesTheProtocolThatTheClientOffers) {
  const struct {
    std::string offered;
    std::string chosen;  // empty: refused
  } kRows[] = {
      {std::string("\x02h2\x08http/1.1"), "h2"},
      {std::string("\x08http/1.1\x02h2"), "h2"},
      {std::string("\x08http/1.1"), "http/1.1"},
      {std::string("\x07unknown"), ""},
  };
  for (const auto& row : kRows) {
    const auto end = NewEnd();
    SSL_set_alpn_protos(end->peer->ssl(),
                        reinterpret_cast<const unsigned char*>(row.offered.data()),
                        static_cast<unsigned>(row.offered.size()));
    end->Run(
        [&] { return (end->peer->Shake() && !end->stream->is_in_handshake()) || end->broken > 0; });
    const unsigned char* data = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(end->peer->ssl(), &data, &size);
    EXPECT_EQ(end->broken, row.chosen.empty() ? 1 : 0);
    if (row.chosen.empty()) continue;
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(data), size), row.chosen);
  }
}

}  // namespace
}  // namespace pt::net
