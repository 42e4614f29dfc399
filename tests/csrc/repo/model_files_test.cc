#include "repo/model_files.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "repo/scratch.h"

namespace pt::repo {
namespace {

namespace fs = std::filesystem;

class ModelFilesTest : public ::testing::Test {
 protected:
  std::unique_ptr<FilesArea> MakeArea() const {
    auto area = FilesArea::Create(scratch_.Path("tmp"));
    EXPECT_TRUE(area.ok()) << area.status().message();
    return area.ok() ? std::move(*area) : nullptr;
  }
  std::set<std::string> Areas() const {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(scratch_.Path("tmp"))) {
      names.insert(entry.path().filename().string());
    }
    return names;
  }
  std::set<std::string> FilesBelow(const std::string& dir) const {
    std::set<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(dir)) {
      if (!entry.is_directory()) names.insert(entry.path().lexically_relative(dir).string());
    }
    return names;
  }
  void SetUp() override { scratch_.MakeDir("tmp"); }

  ::pt::testing::Scratch scratch_;
};

using NameSet = std::set<std::string>;

TEST_F(ModelFilesTest, CopiesTheVersionsThatAreAskedForAndWhatTheyShare) {
  for (const char* file : {"m/config.pbtxt", "m/labels.txt", "m/1/a", "m/1/deep/b", "m/2/a",
                           "m/1_tmp/a", "m/1/__pycache__/a.pyc", "m/.git/head"}) {
    scratch_.Write(file, file);
  }
  const auto area = MakeArea();
  const auto files = area->Copy(scratch_.Path("m"), {1}, nullptr);
  ASSERT_TRUE(files.ok());
  EXPECT_EQ(FilesBelow((*files)->dir()),
            (NameSet{"config.pbtxt", "labels.txt", "1/a", "1/deep/b"}));
  EXPECT_EQ(fs::path((*files)->dir()).filename(), "m");
  EXPECT_EQ(scratch_.Read((*files)->dir() + "/1/deep/b"), "m/1/deep/b");
}

TEST_F(ModelFilesTest, EditsOfTheOriginalDontReachACopy) {
  scratch_.Write("m/1/a", "old");
  const auto area = MakeArea();
  const auto files = area->Copy(scratch_.Path("m"), {1}, nullptr);
  ASSERT_TRUE(files.ok());
  scratch_.Write("m/1/a", "new");
  fs::remove_all(scratch_.Path("m"));
  EXPECT_EQ(scratch_.Read((*files)->dir() + "/1/a"), "old");
}

TEST_F(ModelFilesTest, ACopyGoesWithItsLastUserAndTheAreaWithItsServer) {
  scratch_.Write("m/1/a", "x");
  auto area = MakeArea();
  std::string dir;
  {
    const auto files = area->Copy(scratch_.Path("m"), {1}, nullptr);
    ASSERT_TRUE(files.ok());
    dir = (*files)->dir();
    const ModelFilesRef second = *files;
    EXPECT_TRUE(fs::exists(dir));
  }
  EXPECT_FALSE(fs::exists(dir));
  area.reset();
  EXPECT_EQ(Areas(), NameSet{});
}

TEST_F(ModelFilesTest, FollowsLinksAndNamesThoseItCant) {
  scratch_.Write("blob", "weights");
  scratch_.MakeDir("m/1");
  scratch_.Link(scratch_.Path("blob"), "m/1/linked");
  const auto area = MakeArea();
  const auto files = area->Copy(scratch_.Path("m"), {1}, nullptr);
  ASSERT_TRUE(files.ok());
  EXPECT_EQ(scratch_.Read((*files)->dir() + "/1/linked"), "weights");
  EXPECT_FALSE(fs::is_symlink((*files)->dir() + "/1/linked"));
  scratch_.Link("nowhere", "m/1/dangling");
  EXPECT_EQ(area->Copy(scratch_.Path("m"), {1}, nullptr).status().message(),
            "failed to stat file " + scratch_.Path("m/1/dangling") + ": No such file or directory");
}

TEST_F(ModelFilesTest, LinksInCirclesAndPipesDontHoldItUp) {
  scratch_.MakeDir("m/1");
  scratch_.Link(scratch_.Path("m/1"), "m/1/again");
  const auto area = MakeArea();
  EXPECT_EQ(area->Copy(scratch_.Path("m"), {1}, nullptr).status().message(),
            "expected a tree, got links that lead in circles at " + scratch_.Path("m/1/again"));
  fs::remove(scratch_.Path("m/1/again"));
  ASSERT_EQ(mkfifo(scratch_.Path("m/1/pipe").c_str(), 0600), 0);
  scratch_.Write("m/1/a", "x");
  const auto files = area->Copy(scratch_.Path("m"), {1}, nullptr);
  ASSERT_TRUE(files.ok());
  EXPECT_EQ(FilesBelow((*files)->dir()), NameSet{"1/a"});
}

TEST_F(ModelFilesTest, ACopyThatIsGivenUpLeavesNothing) {
  scratch_.Write("m/1/a", "x");
  const auto area = MakeArea();
  LoadControl control;
  ASSERT_TRUE(control.Cancel(Unavailable("too long")));
  const auto files = area->Copy(scratch_.Path("m"), {1}, &control);
  EXPECT_EQ(files.status().message(), "too long");
  EXPECT_EQ(FilesBelow(area->dir()), NameSet{".lock"});
}

TEST_F(ModelFilesTest, WritesUploadsBelowTheirModelOnly) {
  const auto area = MakeArea();
  const auto files =
      area->Write("m", {{"1/model.py", "a"}, {"/etc/passwd", "b"}, {"./c/../d", "c"}});
  ASSERT_TRUE(files.ok());
  EXPECT_EQ(FilesBelow((*files)->dir()), (NameSet{"1/model.py", "etc/passwd", "d"}));
  for (const char* path : {"..", "../x", "1/../../x", "/../x", "a/../.."}) {
    const Status status = CheckUploadPath(path);
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << path;
    EXPECT_NE(status.message().find("must stay within model directory."), std::string::npos);
    EXPECT_EQ(area->Write("m", {{path, "x"}}).status().message(), status.message());
  }
  for (const char* path : {"", ".", "1/", "/"}) {
    EXPECT_NE(CheckUploadPath(path).message().find("expected a file's path"), std::string::npos);
  }
  using namespace std::string_literals;
  EXPECT_FALSE(CheckUploadPath("a\0b"s).ok());
  // Two uploads that claim one place.
  EXPECT_FALSE(area->Write("m", {{"a", "x"}, {"./a", "y"}}).ok());
  EXPECT_FALSE(area->Write("m", {{"a", "x"}, {"a/b", "y"}}).ok());
}

TEST_F(ModelFilesTest, TheNextServerSweepsWhatAKilledOneLeft) {
  scratch_.Write("m/1/a", "x");
  const pid_t child = fork();
  if (child == 0) {
    const auto area = FilesArea::Create(scratch_.Path("tmp"));
    const auto files = area.ok() ? (*area)->Copy(scratch_.Path("m"), {1}, nullptr)
                                 : Result<ModelFilesRef>(area.status());
    if (files.ok()) raise(SIGKILL);  // the last thing it does
    _exit(1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  ASSERT_EQ(Areas().size(), 1U);
  const std::string left = *Areas().begin();
  scratch_.MakeDir("tmp/pytriton-models-other");  // without a lock: somebody is just making it
  const auto first = MakeArea();
  EXPECT_EQ(Areas().count(left), 0U);
  // Those of servers that live stay.
  const auto second = MakeArea();
  EXPECT_EQ(Areas(),
            (NameSet{fs::path(first->dir()).filename().string(),
                     fs::path(second->dir()).filename().string(), "pytriton-models-other"}));
}

}  // namespace
}  // namespace pt::repo
