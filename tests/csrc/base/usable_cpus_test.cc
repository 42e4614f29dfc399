#include "base/usable_cpus.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

namespace pt {
namespace {

class UsableCpusTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string folder = ::testing::TempDir() + "usable-cpus-XXXXXX";
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    folder_ = folder;
    places_ = {folder_ / "own", folder_ / "mount"};
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void Write(const std::filesystem::path& name, const std::string& text) {
    std::filesystem::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << text;
  }

  std::filesystem::path folder_;
  CgroupPlaces places_;
};

TEST_F(UsableCpusTest, AreAllWithoutAQuota) {
  EXPECT_EQ(UsableCpus(8, places_), 8u);
  Write("own", "0::/pod/one\n");
  Write("mount/pod/one/cpu.max", "max 100000\n");
  EXPECT_EQ(UsableCpus(8, places_), 8u);
}

TEST_F(UsableCpusTest, AreWhatTheQuotaAllowsRoundedDown) {
  Write("own", "0::/pod/one\n");
  Write("mount/pod/one/cpu.max", "250000 100000\n");
  EXPECT_EQ(UsableCpus(8, places_), 2u);
  Write("mount/pod/one/cpu.max", "50000 100000\n");
  EXPECT_EQ(UsableCpus(8, places_), 0u);
  Write("mount/pod/one/cpu.max", "900000 100000\n");
  EXPECT_EQ(UsableCpus(8, places_), 8u);
}

TEST_F(UsableCpusTest, CountTheGroupsAbove) {
  Write("own", "0::/pod/one\n");
  Write("mount/pod/one/cpu.max", "400000 100000\n");
  Write("mount/pod/cpu.max", "300000 100000\n");
  EXPECT_EQ(UsableCpus(8, places_), 3u);
}

TEST_F(UsableCpusTest, FindTheQuotaOfAContainerWhosePathIsNotMounted) {
  Write("own", "4:cpu,cpuacct:/docker/abc\n2:memory:/docker/abc\n");
  Write("mount/cpu,cpuacct/cpu.cfs_quota_us", "150000\n");
  Write("mount/cpu,cpuacct/cpu.cfs_period_us", "50000\n");
  EXPECT_EQ(UsableCpus(8, places_), 3u);
}

TEST_F(UsableCpusTest, AreAllWhereVersionOneHasNoQuota) {
  Write("own", "4:cpu:/\n");
  Write("mount/cpu/cpu.cfs_quota_us", "-1\n");
  Write("mount/cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(UsableCpus(8, places_), 8u);
}

TEST_F(UsableCpusTest, MindNoJunk) {
  Write("own", "junk\n::\n0:\n0::/a\n7:cpuset:/b\n");
  Write("mount/a/cpu.max", "x y\n");
  Write("mount/cpuset/b/cpu.max", "100000 100000\n");
  EXPECT_EQ(UsableCpus(8, places_), 8u);
}

TEST(UsableCpusHereTest, AreNotMoreThanThereAre) {
  EXPECT_LE(UsableCpus(), std::thread::hardware_concurrency());
}

}  // namespace
}  // namespace pt
