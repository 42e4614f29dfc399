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
  const WorkerPace::Ticket other(pace, {"other", 1});
  pace->Await({"m", 1});
  {
    const WorkerPace::Ticket gone(pace, {"m", 1});
  }
  pace->Await({"m", 1});
  pace->Await({"m", 2});
}

TEST(WorkerPaceTest, VersionsThatAreAddedLoadAtOnce) {
  const auto pace = std::make_shared<WorkerPace>(kLong);
  const WorkerPace::Ticket first(pace, {"m", 1});
  pace->Await({"m", 2});
  const WorkerPace::Ticket second(pace, {"m", 2});
  pace->Await({"m", 3});
}

TEST(WorkerPaceTest, ALoadOfWhatServesWaitsForThePause) {
  const auto pace = std::make_shared<WorkerPace>(kShort);
  const auto begin = std::chrono::steady_clock::now();
  const WorkerPace::Ticket first(pace, {"m", 1});
  pace->Await({"m", 1});
  EXPECT_GE(std::chrono::steady_clock::now() - begin, kShort);
}

TEST(WorkerPaceTest, ALoadWaitsForThePauseAfterAVersionOfTheModelHasEnded) {
  const auto pace = std::make_shared<WorkerPace>(kShort);
  std::optional<WorkerPace::Ticket> first;
  first.emplace(pace, WorkerPace::Key{"m", 1});
  const WorkerPace::Ticket second(pace, {"m", 2});
  const auto begin = std::chrono::steady_clock::now();
  first.reset();
  pace->Await({"m", 3});
  EXPECT_GE(std::chrono::steady_clock::now() - begin, kShort);
}

TEST(WorkerPaceTest, ALoadWaitsNoLongerThanTheModelServes) {
  const auto pace = std::make_shared<WorkerPace>(kLong);
  std::optional<WorkerPace::Ticket> same;
  std::optional<WorkerPace::Ticket> other;
  std::optional<WorkerPace::Ticket> flipped;
  same.emplace(pace, WorkerPace::Key{"m", 1});
  other.emplace(pace, WorkerPace::Key{"m", 2});
  flipped.emplace(pace, WorkerPace::Key{"m", 3});
  flipped.reset();
  std::thread load([&] { pace->Await({"m", 1}); });
  std::thread addition([&] { pace->Await({"m", 4}); });
  same.reset();
  other.reset();
  load.join();
  addition.join();
}

}  // namespace
}  // namespace pt::backend
