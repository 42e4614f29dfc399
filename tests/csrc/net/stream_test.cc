#include "net/stream.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

namespace pt::net {
namespace {

class StreamTest : public ::testing::Test, public StreamHandler {
 protected:
  void SetUp() override {
    auto loop = Loop::Create();
    ASSERT_TRUE(loop.ok());
    loop_ = std::move(loop).value();
    int pair[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    peer_ = pair[1];
    stream_ = std::make_unique<Stream>(loop_.get(), pair[0], this);
    ASSERT_TRUE(stream_->Open().ok());
  }
  void TearDown() override {
    stream_.reset();
    if (peer_ >= 0) close(peer_);
  }
  void OnReadable() override { ++readable_; }
  void OnWritable() override { stream_->Flush(); }
  void OnBroken() override {
    ++broken_;
    stream_->Close();
  }
  void OnDrained() override { ++drained_; }

  std::string ReadPeer() {
    std::string all;
    char bytes[65536];
    ssize_t got;
    while ((got = recv(peer_, bytes, sizeof(bytes), 0)) > 0) {
      all.append(bytes, static_cast<size_t>(got));
    }
    return all;
  }

  std::unique_ptr<Loop> loop_;
  std::unique_ptr<Stream> stream_;
  int peer_ = -1;
  int readable_ = 0;
  int broken_ = 0;
  int drained_ = 0;
};

TEST_F(StreamTest, SendsSmallAndLargePiecesInOrder) {
  const std::string large(100000, 'L');
  stream_->Write("head ");
  stream_->Write(Slice::OfString(large));
  stream_->Write("tail");
  char* const room = stream_->ReserveWrite(10);
  room[0] = '!';
  stream_->CommitWrite(1);
  EXPECT_EQ(stream_->queued(), large.size() + 10);
  stream_->Flush();
  EXPECT_EQ(ReadPeer(), "head " + large + "tail!");
  EXPECT_EQ(stream_->queued(), 0u);
}

TEST_F(StreamTest, GoesOnWhenTheKernelHasRoomAgain) {
  std::string expected;
  for (int i = 0; i < 200; ++i) {
    const std::string piece(20000 + i, static_cast<char>('a' + i % 26));
    expected += piece;
    expected += "small";
    stream_->Write(Slice::OfString(piece));
    stream_->Write("small");
  }
  stream_->Flush();
  EXPECT_GT(stream_->queued(), 0u);
  std::string got;
  while (got.size() < expected.size()) {
    got += ReadPeer();
    loop_->RunRound(Wait::kNo);
  }
  EXPECT_TRUE(got == expected);
  EXPECT_EQ(drained_, 1);
}

TEST_F(StreamTest, HoldsALargeSliceUntilItIsSent) {
  BlockPool pool;
  BlockRef block = pool.Allocate(8 << 20);
  const char* const data = block->data();
  stream_->Write(Slice(std::move(block), data, 8 << 20));
  stream_->Flush();
  EXPECT_EQ(pool.live_blocks(), 1u);
  while (stream_->queued() > 0) {
    ReadPeer();
    loop_->RunRound(Wait::kNo);
  }
  EXPECT_EQ(pool.live_blocks(), 0u);
}

TEST_F(StreamTest, IsNotReadableWhilePaused) {
  ASSERT_EQ(send(peer_, "x", 1, 0), 1);
  stream_->PauseReading();
  loop_->RunRound(Wait::kNo);
  EXPECT_EQ(readable_, 0);
  stream_->ResumeReading();
  loop_->RunRound(Wait::kNo);
  EXPECT_EQ(readable_, 1);
}

TEST_F(StreamTest, TellsTheEndOfInputFromAHangUp) {
  char byte;
  shutdown(peer_, SHUT_WR);
  EXPECT_EQ(stream_->Read(&byte, 1).state, ReadState::kEof);
  stream_->PauseReading();
  loop_->RunRound(Wait::kNo);
  EXPECT_EQ(broken_, 0);
  close(peer_);
  peer_ = -1;
  loop_->RunRound(Wait::kNo);
  EXPECT_EQ(broken_, 1);
}

TEST_F(StreamTest, BreaksOnceWhenAWriteFails) {
  close(peer_);
  peer_ = -1;
  stream_->Write("lost");
  stream_->Flush();
  EXPECT_EQ(broken_, 1);
  EXPECT_FALSE(stream_->is_open());
}

// The same over TCP: Unix sockets wake for any byte.
class TcpStreamTest : public StreamTest {
 protected:
  void SetUp() override {
    auto loop = Loop::Create();
    ASSERT_TRUE(loop.ok());
    loop_ = std::move(loop).value();
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
    ASSERT_EQ(listen(listener, 1), 0);
    ASSERT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
    peer_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_EQ(connect(peer_, reinterpret_cast<sockaddr*>(&address), size), 0);
    const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    close(listener);
    accepted_ = fd;
    stream_ = std::make_unique<Stream>(loop_.get(), fd, this);
    ASSERT_TRUE(stream_->Open().ok());
  }

  // For how many bytes the kernel waits.
  size_t Mark() const {
    int mark = 0;
    socklen_t size = sizeof(mark);
    getsockopt(accepted_, SOL_SOCKET, SO_RCVLOWAT, &mark, &size);
    return static_cast<size_t>(mark);
  }

  void SendBytes(size_t count) {
    const std::string bytes(count, 'x');
    ASSERT_EQ(send(peer_, bytes.data(), count, 0), static_cast<ssize_t>(count));
  }

  int accepted_ = -1;  // owned by stream_
};

TEST_F(TcpStreamTest, IsReadableWhenTheAwaitedBytesAreThere) {
  stream_->AwaitBytes(1000);
  EXPECT_TRUE(stream_->awaits_bytes());
  SendBytes(999);
  loop_->RunRound(Wait::kNo);
  EXPECT_EQ(readable_, 0);
  SendBytes(1);
  loop_->RunRound(Wait::kNo);
  EXPECT_EQ(readable_, 1);
}

TEST_F(TcpStreamTest, IsReadableForAnyByteAgain) {
  stream_->AwaitBytes(1000);
  SendBytes(1);
  stream_->AwaitBytes(1);
  EXPECT_FALSE(stream_->awaits_bytes());
  loop_->RunRound(Wait::kNo);
  EXPECT_EQ(readable_, 1);
}

TEST_F(TcpStreamTest, AwaitsManyBytesInPartsThatGetSmaller) {
  const size_t most = Stream::kMostAwaited;
  stream_->AwaitBytes(8 * most);
  EXPECT_EQ(Mark(), most);
  stream_->AwaitBytes(2 * most);
  EXPECT_EQ(Mark(), most / 2);
  stream_->AwaitBytes(most);
  EXPECT_EQ(Mark(), most / 4);
  stream_->AwaitBytes(most / 4);
  EXPECT_EQ(Mark(), Stream::kLeastPart);
  stream_->AwaitBytes(10);
  EXPECT_EQ(Mark(), 10u);
}

TEST_F(TcpStreamTest, AwaitsFewBytesWhole) {
  const size_t most = Stream::kMostAwaited;
  stream_->AwaitBytes(most);
  EXPECT_EQ(Mark(), most);
  stream_->AwaitBytes(most / 2);
  EXPECT_EQ(Mark(), most / 2);
  stream_->AwaitBytes(2 * most);
  stream_->AwaitBytes(1);  // the next body
  stream_->AwaitBytes(most);
  EXPECT_EQ(Mark(), most);
}

TEST_F(TcpStreamTest, IsReadableWhenTheAwaitedBytesCannotCome) {
  stream_->AwaitBytes(1000);
  SendBytes(10);
  shutdown(peer_, SHUT_WR);
  loop_->RunRound(Wait::kNo);
  EXPECT_EQ(readable_, 1);
}

}  // namespace
}  // namespace pt::net
