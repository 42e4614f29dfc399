#include "repo/fingerprint.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>

#include "repo/scratch.h"

namespace pt::repo {
namespace {

class FingerprintTest : public ::testing::Test {
 protected:
  void SetUp() override {
    scratch_.Write("m/config.pbtxt", "x");
    scratch_.Write("m/labels.txt", "x");
    scratch_.Write("m/1/model.py", "x");
    scratch_.Write("m/2/sub/deep.bin", "x");
    before_ = Look();
  }
  Fingerprint Look() const {
    const Result<TreeLook> look = LookAtTree(scratch_.Path("m"), {});
    EXPECT_TRUE(look.ok()) << look.status().ToString();
    return look.ok() ? look->fingerprint : Fingerprint();
  }

  testing::Scratch scratch_;
  Fingerprint before_;
};

TEST_F(FingerprintTest, EqualsItselfWhileNothingChanges) { EXPECT_EQ(Look(), before_); }

TEST_F(FingerprintTest, TellsWhichPartChanged) {
  scratch_.Write("m/2/sub/deep.bin", "longer");
  Fingerprint now = Look();
  EXPECT_NE(now.versions[2], before_.versions[2]);
  EXPECT_EQ(now.versions[1], before_.versions[1]);
  EXPECT_EQ(now.shared, before_.shared);
  EXPECT_EQ(now.config, before_.config);
  scratch_.Write("m/config.pbtxt", "yy");
  EXPECT_NE(Look().config, before_.config);
  EXPECT_EQ(Look().shared, before_.shared);
  scratch_.Write("m/labels.txt", "yy");
  EXPECT_NE(Look().shared, before_.shared);
}

TEST_F(FingerprintTest, SeesAddedAndRemovedVersions) {
  scratch_.Write("m/3/model.py", "x");
  EXPECT_EQ(Look().versions.size(), 3U);
  std::filesystem::remove_all(scratch_.Path("m/1"));
  EXPECT_EQ(Look().versions.count(1), 0U);
}

TEST_F(FingerprintTest, SeesAReplacedFileOfTheSameSizeAndTime) {
  const auto time = std::filesystem::last_write_time(scratch_.Path("m/1/model.py"));
  scratch_.Write("m/new", "y");
  std::filesystem::last_write_time(scratch_.Path("m/new"), time);
  std::filesystem::rename(scratch_.Path("m/new"), scratch_.Path("m/1/model.py"));
  EXPECT_NE(Look(), before_);
}

TEST_F(FingerprintTest, IgnoresWhatDoesNotCount) {
  scratch_.Write("m/1/__pycache__/model.cpython-311.pyc", "x");
  scratch_.Write("m/1/.model.py.swp", "x");
  scratch_.Write("m/1/model.py~", "x");
  scratch_.Write("m/.git/HEAD", "x");
  scratch_.Write("m/config.pbtxt.tmp", "x");
  scratch_.Write("m/3_tmp/model.py", "x");
  scratch_.Link("user@host.1234", "m/.#config.pbtxt");
  EXPECT_EQ(Look(), before_);
}

TEST_F(FingerprintTest, NamesWhatCantBeFollowed) {
  scratch_.Link("nowhere", "m/1/weights.bin");
  EXPECT_EQ(
      LookAtTree(scratch_.Path("m"), {}).status().message(),
      "failed to stat file " + scratch_.Path("m/1/weights.bin") + ": No such file or directory");
}

TEST_F(FingerprintTest, LinksInCirclesEnd) {
  scratch_.Link("..", "m/1/up");
  const Status status = LookAtTree(scratch_.Path("m"), {}).status();
  EXPECT_NE(status.message().find("lead in circles"), std::string::npos) << status.ToString();
}

TEST_F(FingerprintTest, VisitsEveryDirectory) {
  std::vector<std::string> visited;
  ASSERT_TRUE(LookAtTree(scratch_.Path("m"), [&](const std::string& path) {
                visited.push_back(path);
              }).ok());
  EXPECT_EQ(visited.size(), 4U);  // m, 1, 2, 2/sub
}

}  // namespace
}  // namespace pt::repo
