// What a model's workers took is what the next one is expected to take.
#include "backend/worker_tempo.h"

#include <gtest/gtest.h>

#include <chrono>

#include "backend/worker_process.h"

namespace pt::backend {
namespace {

using std::chrono::microseconds;

TEST(WorkerTempoTest, TheFirstWorkerOfAModelIsExpectedToBeSlow) {
  const WorkerTempo tempo;
  EXPECT_EQ(tempo.batch(), WorkerTempo::kUnknown);
  EXPECT_EQ(tempo.request(), WorkerTempo::kUnknown);
}

TEST(WorkerTempoTest, WhatWasNotedLastIsExpected) {
  WorkerTempo tempo;
  tempo.Note(microseconds(300), microseconds(20));
  tempo.Note(microseconds(200), microseconds(10));
  EXPECT_EQ(tempo.batch(), microseconds(200));
  EXPECT_EQ(tempo.request(), microseconds(10));
}

TEST(WorkerTempoTest, NobodyIsExpectedToBeAsQuickAsTheQuickest) {
  WorkerTempo tempo;
  tempo.Note(microseconds(5), microseconds(5));
  EXPECT_EQ(tempo.batch(), WorkerTempo::kLeast);
}

TEST(WorkerTempoTest, AModelIsForgottenWithItsLastWorker) {
  WorkerTempos tempos;
  auto tempo = tempos.Of("a");
  tempo->Note(microseconds(300), microseconds(20));
  EXPECT_EQ(tempos.Of("a"), tempo);
  EXPECT_EQ(tempos.Of("b")->batch(), WorkerTempo::kUnknown);
  tempo.reset();
  EXPECT_EQ(tempos.Of("a")->batch(), WorkerTempo::kUnknown);
}

TEST(WorkerTempoTest, AProcessIsExpectedToTakeWhatThoseBeforeItTook) {
  WorkerSpec spec;
  spec.tempo->Note(microseconds(300), microseconds(20));
  const auto process = std::make_shared<WorkerProcess>(WorkerHub(), spec);
  EXPECT_EQ(process->run_time(), microseconds(300));
  EXPECT_EQ(process->request_time(), microseconds(20));
}

}  // namespace
}  // namespace pt::backend
