#include "backend/worker_kill_witness.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace pt::backend {
namespace {

namespace fs = std::filesystem;
using Verdict = KillWitness::Verdict;

constexpr pid_t kPid = 7;

class KillWitnessTest : public ::testing::Test {
 protected:
  KillWitnessTest()
      : root_(fs::temp_directory_path() / ("pt_witness_" + std::to_string(getpid()))) {
    Write("proc/vmstat", "nr_free_pages 5\noom_kill 3\n");
  }
  ~KillWitnessTest() override { fs::remove_all(root_); }

  void Write(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  void WriteGroups(const std::string& text) { Write("proc/7/cgroup", text); }

  const fs::path root_;
  KillWitness witness_{root_.string()};
};

constexpr char kFirstVersion[] =
    "34 31 0:31 / /cg/cpu rw,relatime - cgroup cgroup rw,cpu\n"
    "35 31 0:32 / /cg/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n"
    "41 31 0:38 / /cg/unified rw,relatime - cgroup2 cgroup2 rw\n";
constexpr char kSecondVersion[] = "35 31 0:32 / /cg rw,relatime - cgroup2 cgroup2 rw,nsdelegate\n";

TEST_F(KillWitnessTest, AKillCountedByItsGroupIsSure) {
  Write("proc/self/mountinfo", kFirstVersion);
  WriteGroups("4:memory:/a\n1:cpu:/b\n0::/\n");
  Write("cg/memory/a/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n");
  witness_.Look(kPid);
  EXPECT_EQ(witness_.Judge(), Verdict::kUnknown);
  Write("cg/memory/a/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
  EXPECT_EQ(witness_.Judge(), Verdict::kSure);
}

TEST_F(KillWitnessTest, TheSecondVersionCountsInEventsOfTheGroupItself) {
  Write("proc/self/mountinfo", kSecondVersion);
  WriteGroups("0::/a/b\n");
  Write("cg/a/b/memory.events", "low 0\noom 1\noom_kill 5\n");
  Write("cg/a/b/memory.events.local", "low 0\noom 1\noom_kill 0\n");
  witness_.Look(kPid);
  Write("cg/a/b/memory.events", "low 0\noom 1\noom_kill 6\n");
  EXPECT_EQ(witness_.Judge(), Verdict::kUnknown);
  Write("cg/a/b/memory.events.local", "low 0\noom 1\noom_kill 1\n");
  EXPECT_EQ(witness_.Judge(), Verdict::kSure);
}

TEST_F(KillWitnessTest, AContainerSeesAPartOfTheHierarchy) {
  Write("proc/self/mountinfo", "35 31 0:32 /box/1 /cg/memory rw - cgroup cgroup rw,memory\n");
  WriteGroups("4:memory:/box/1/a\n");
  Write("cg/memory/a/memory.oom_control", "oom_kill 0\n");
  witness_.Look(kPid);
  Write("cg/memory/a/memory.oom_control", "oom_kill 1\n");
  EXPECT_EQ(witness_.Judge(), Verdict::kSure);
}

TEST_F(KillWitnessTest, AMovedProcessIsCountedWhereItIs) {
  Write("proc/self/mountinfo", kSecondVersion);
  WriteGroups("0::/a\n");
  Write("cg/a/memory.events", "oom_kill 0\n");
  Write("cg/b/memory.events", "oom_kill 8\n");
  witness_.Look(kPid);
  WriteGroups("0::/b\n");
  witness_.Look(kPid);
  Write("cg/a/memory.events", "oom_kill 1\n");
  EXPECT_EQ(witness_.Judge(), Verdict::kUnknown);
  Write("cg/b/memory.events", "oom_kill 9\n");
  EXPECT_EQ(witness_.Judge(), Verdict::kSure);
}

TEST_F(KillWitnessTest, AKillSomewhereInTheSystemIsLikely) {
  witness_.Look(kPid);  // no cgroups at all
  EXPECT_EQ(witness_.Judge(), Verdict::kUnknown);
  Write("proc/vmstat", "nr_free_pages 5\noom_kill 4\n");
  EXPECT_EQ(witness_.Judge(), Verdict::kLikely);
}

TEST_F(KillWitnessTest, WhatCantBeReadSaysNothing) {
  fs::remove_all(root_);
  witness_.Look(kPid);
  Write("proc/vmstat", "oom_kill 4\n");
  EXPECT_EQ(witness_.Judge(), Verdict::kUnknown);
  Write("proc/self/mountinfo", "junk\n - cgroup2\n1 2 3 - cgroup\n");
  WriteGroups("junk\n0::\n::::\n");
  witness_.Look(kPid);
  EXPECT_EQ(witness_.Judge(), Verdict::kUnknown);
}

}  // namespace
}  // namespace pt::backend
