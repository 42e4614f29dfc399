#include "backend/worker_pace.h"

#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <thread>

namespace pt::backend {
namespace {

constexpr Duration kLong = std::chrono::hours(1);
constexpr Duration kShort = std::chrono::milliseconds(20);

TEST(WorkerPaceTest, WhatDoesNotServeLoadsAtOnce) {
  const auto pace = std::make_shared<WorkerPace>(kLong);
  const WorkerPace::Ticket other(pace, "m:1");
  pace->Await("m:2");
  {
    const WorkerPace::Ticket gone(pace, "m:2");
  }
  pace->Await("m:2");
}

TEST(WorkerPaceTest, ALoadOfWhatServesWaitsForThePause) {
  const auto pace = std::make_shared<WorkerPace>(kShort);
  const auto begin = std::chrono::steady_clock::now();
  const WorkerPace::Ticket first(pace, "m:1");
  pace->Await("m:1");
  EXPECT_GE(std::chrono::steady_clock::now() - begin, kShort);
}

TEST(WorkerPaceTest, ALoadWaitsNoLongerThanItServes) {
  const auto pace = std::make_shared<WorkerPace>(kLong);
  std::optional<WorkerPace::Ticket> ticket;
  ticket.emplace(pace, "m:1");
  std::thread load([&] { pace->Await("m:1"); });
  ticket.reset();
  load.join();
}

}  // namespace
}  // namespace pt::backend
