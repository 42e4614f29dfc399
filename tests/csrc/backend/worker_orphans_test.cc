#include "backend/worker_orphans.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <optional>

namespace pt::backend {
namespace {

// Reads until every writer has gone.
void AwaitEnd(int reader) {
  char byte = 0;
  while (read(reader, &byte, 1) > 0) continue;
  close(reader);
}

class OrphansTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto monitor = WorkerMonitor::Create();
    ASSERT_TRUE(monitor.ok());
    monitor_ = std::move(monitor).value();
    orphans_.emplace(monitor_.get());
  }
  // Ends what was added.
  void TearDownOrphans() {
    orphans_->Add(group_);
    monitor_.reset();
    orphans_.reset();
  }

  std::optional<WorkerOrphans> orphans_;
  std::unique_ptr<WorkerMonitor> monitor_;
  pid_t group_ = 0;
};

TEST_F(OrphansTest, WhatAWorkerLeftBehindEnds) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  group_ = fork();
  if (group_ == 0) {
    setpgid(0, 0);
    if (fork() != 0) _exit(0);
    while (true) pause();
  }
  close(ends[1]);
  ASSERT_EQ(waitpid(group_, nullptr, 0), group_);
  TearDownOrphans();
  AwaitEnd(ends[0]);
}

TEST_F(OrphansTest, AGroupWhoseLeaderLivesIsAStrangers) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  group_ = fork();
  if (group_ == 0) {
    setpgid(0, 0);
    close(ends[1]);
    while (true) pause();
  }
  close(ends[1]);
  AwaitEnd(ends[0]);  // it leads its group
  TearDownOrphans();
  kill(group_, SIGUSR1);
  int status = 0;
  ASSERT_EQ(waitpid(group_, &status, 0), group_);
  EXPECT_EQ(WTERMSIG(status), SIGUSR1);  // a SIGKILL before it would have won
}

}  // namespace
}  // namespace pt::backend
