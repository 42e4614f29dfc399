#include "base/unique_fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

namespace pt {
namespace {

// Both ends of a pipe. The writing end is broken once nobody owns the reading one, whatever else
// opens descriptors meanwhile.
class UniqueFdTest : public testing::Test {
 protected:
  UniqueFdTest() {
    std::array<int, 2> ends{-1, -1};
    EXPECT_EQ(pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK), 0);
    reading_ = UniqueFd(ends[0]);
    writing_ = UniqueFd(ends[1]);
    signal_ = signal(SIGPIPE, SIG_IGN);
  }
  ~UniqueFdTest() override { signal(SIGPIPE, signal_); }

  bool IsReadingOpen() const { return write(writing_.get(), "x", 1) == 1; }

  UniqueFd reading_;
  UniqueFd writing_;

 private:
  sighandler_t signal_ = SIG_DFL;
};

TEST_F(UniqueFdTest, ClosesAtItsEnd) {
  {
    const UniqueFd owner = std::move(reading_);
    EXPECT_TRUE(IsReadingOpen());
  }
  EXPECT_FALSE(IsReadingOpen());
}

TEST_F(UniqueFdTest, MovingLeavesNothingBehind) {
  const int number = reading_.get();
  UniqueFd second(std::move(reading_));
  EXPECT_FALSE(
      reading_.is_open());  // NOLINT(bugprone-use-after-move): what is left is the question
  EXPECT_EQ(second.get(), number);
  UniqueFd third;
  third = std::move(second);
  EXPECT_FALSE(second.is_open());  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(third.get(), number);
  EXPECT_TRUE(IsReadingOpen());
}

TEST_F(UniqueFdTest, ClosesWhatItHeldWhenItTakesAnother) {
  UniqueFd owner = std::move(reading_);
  owner = UniqueFd(open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_TRUE(owner.is_open());
  EXPECT_FALSE(IsReadingOpen());
}

TEST_F(UniqueFdTest, StaysOpenWhenItIsMovedToItself) {
  UniqueFd& same = reading_;
  reading_ = std::move(same);
  EXPECT_TRUE(IsReadingOpen());
}

TEST_F(UniqueFdTest, GivesUpWhatItReleases) {
  const int number = reading_.Release();
  EXPECT_FALSE(reading_.is_open());
  reading_.Reset();
  EXPECT_TRUE(IsReadingOpen());
  reading_.Reset(number);
  reading_.Reset();
  EXPECT_FALSE(IsReadingOpen());
}

TEST(UniqueFdErrorTest, KeepsTheErrorOfTheCallBefore) {
  errno = ENOENT;
  {
    const UniqueFd wrong(1 << 30);
  }  // nobody's: close() fails
  EXPECT_EQ(errno, ENOENT);
}

}  // namespace
}  // namespace pt
