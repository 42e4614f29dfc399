#include "repo/layout.h"

#include <gtest/gtest.h>

#include "repo/scratch.h"

namespace pt::repo {
namespace {

using Versions = std::vector<int64_t>;

class LayoutTest : public ::testing::Test {
 protected:
  testing::Scratch scratch_;
};

TEST_F(LayoutTest, FindsModelDirectoriesAndLinksToThem) {
  scratch_.MakeDir("r/b");
  scratch_.MakeDir("r/a");
  scratch_.MakeDir("r/.git");
  scratch_.MakeDir("elsewhere");
  scratch_.Link(scratch_.Path("elsewhere"), "r/linked");
  scratch_.Write("r/README", "");
  const Layout layout = ScanRepositories({scratch_.Path("r")});
  ASSERT_EQ(layout.models.size(), 3U);
  EXPECT_EQ(layout.models[0].name, "a");
  EXPECT_EQ(layout.models[1].path, scratch_.Path("r/b"));
  EXPECT_EQ(layout.models[2].name, "linked");
  EXPECT_TRUE(layout.unreadable.empty());
}

TEST_F(LayoutTest, AMissingRepositoryIsAnErrorAndNoEmptyList) {
  scratch_.MakeDir("r/a");
  const Layout layout = ScanRepositories({scratch_.Path("gone"), scratch_.Path("r")});
  ASSERT_EQ(layout.unreadable.size(), 1U);
  EXPECT_EQ(layout.unreadable[0].problem.message(),
            "failed to stat file " + scratch_.Path("gone") + ": No such file or directory");
  EXPECT_EQ(layout.models.size(), 1U);
}

TEST_F(LayoutTest, ADanglingLinkConcernsItsModelOnly) {
  scratch_.MakeDir("r/good");
  scratch_.Link("nowhere", "r/bad");
  scratch_.Link("loop", "r/loop");
  const Layout layout = ScanRepositories({scratch_.Path("r")});
  ASSERT_EQ(layout.models.size(), 3U);
  EXPECT_FALSE(layout.models[0].problem.ok());
  EXPECT_TRUE(layout.models[1].problem.ok());
  EXPECT_FALSE(layout.models[2].problem.ok());
  EXPECT_TRUE(layout.unreadable.empty());
}

TEST_F(LayoutTest, FindsTheSameModelInTwoRepositories) {
  scratch_.MakeDir("r1/m");
  scratch_.MakeDir("r2/m");
  const auto places = FindModel({scratch_.Path("r1"), scratch_.Path("r2")}, "m");
  ASSERT_TRUE(places.ok());
  EXPECT_EQ(places->size(), 2U);
  EXPECT_TRUE(FindModel({scratch_.Path("r1")}, "x")->empty());
  EXPECT_FALSE(FindModel({scratch_.Path("r3")}, "m").ok());
}

TEST_F(LayoutTest, FindsAModelWhateverIsWrongWithAnotherRepository) {
  scratch_.MakeDir("r/m");
  scratch_.Write("file", "");
  for (const char* bad : {"gone", "file"}) {
    SCOPED_TRACE(bad);
    const auto places = FindModel({scratch_.Path(bad), scratch_.Path("r")}, "m");
    ASSERT_TRUE(places.ok()) << places.status().ToString();
    ASSERT_EQ(places->size(), 1U);
    EXPECT_EQ(places->front().path, scratch_.Path("r/m"));
    const auto none = FindModel({scratch_.Path(bad), scratch_.Path("r")}, "x");
    ASSERT_FALSE(none.ok()) << "it may have the model";
    EXPECT_NE(none.status().message().find(scratch_.Path(bad)), std::string::npos);
  }
}

TEST_F(LayoutTest, VersionsAreStrictNumbers) {
  for (const char* name :
       {"0", "7", "10", "9223372036854775807", "9223372036854775808", "007", "20261123000000000000",
        "1_tmp", "-1", "+3", "foo", "configs", "warmup", ".4", "__pycache__"}) {
    scratch_.MakeDir(std::string("m/") + name);
  }
  scratch_.Write("m/3", "a file is no version");
  const Result<VersionListing> listing = ListVersions(scratch_.Path("m"));
  ASSERT_TRUE(listing.ok());
  EXPECT_EQ(listing->versions, (Versions{0, 7, 10, INT64_MAX}));
  EXPECT_EQ(listing->warnings.size(), 7U);
  EXPECT_EQ(listing->warnings[2],
            "ignore version directory '007' which contains leading zeros in its directory name");
}

TEST_F(LayoutTest, NamesFromClientsDontLeadAway) {
  for (const char* name : {"", " ", "..", ".", "a/b", "/etc", "../x"}) {
    EXPECT_FALSE(CheckModelName(name).ok()) << name;
  }
  EXPECT_FALSE(CheckModelName(std::string_view("a\0b", 3)).ok());
  EXPECT_TRUE(CheckModelName("model.python-1_x y").ok());
  EXPECT_EQ(CheckModelName("..").message(),
            "invalid model name '..', model name must not contain path traversal characters");
}

}  // namespace
}  // namespace pt::repo
