#include "api/trace_settings.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

namespace pt::api {
namespace {

TraceOptions ToFile() {
  TraceOptions options;
  options.file = "t.json";
  options.values.rate = 1;
  return options;
}

TraceUpdate Of(const std::function<Status(TraceUpdate*)>& fill) {
  TraceUpdate update;
  EXPECT_TRUE(fill(&update).ok());
  return update;
}

TraceUpdate Level(std::string_view name) {
  return Of([name](TraceUpdate* update) { return SetLevels({name}, update); });
}
TraceUpdate Rate(std::string_view text) {
  return Of([text](TraceUpdate* update) { return SetRate(text, update); });
}
TraceUpdate Count(std::string_view text) {
  return Of([text](TraceUpdate* update) { return SetCount(text, update); });
}

int TakenOf(TraceSettings* settings, std::string_view model, int requests) {
  int taken = 0;
  for (int i = 0; i < requests; ++i) taken += settings->Take(model, false).has_value() ? 1 : 0;
  return taken;
}

TEST(TraceSettingsTest, RefusesValuesInTritonsWords) {
  const struct {
    Status (*set)(std::string_view, TraceUpdate*);
    const char* text;
    const char* message;  // null: accepted
  } kRows[] = {
      {SetRate, "5", nullptr},
      {SetRate, "0", nullptr},
      {SetRate, "abc", "Unable to parse 'trace_rate', got: abc"},
      {SetRate, "", "Unable to parse 'trace_rate', got: "},
      {SetRate, "1x", "Unable to parse 'trace_rate', got: 1x"},
      {SetRate, "-1",
       "Unable to parse 'trace_rate', value is out of range [ 0, 4294967295 ], got: -1"},
      {SetRate, "4294967296",
       "Unable to parse 'trace_rate', value is out of range [ 0, 4294967295 ], got: 4294967296"},
      {SetRate, "99999999999999999999",
       "Unable to parse 'trace_rate', value is out of range [ 0, 4294967295 ], got: "
       "99999999999999999999"},
      {SetCount, "-1", nullptr},
      {SetCount, "-2", "Unable to parse 'trace_count'. Expecting value >= -1, got: -2"},
      {SetCount, "2147483648",
       "Unable to parse 'trace_count', value is out of range [ -1, 2147483647 ], got: 2147483648"},
      {SetLogFrequency, "x", "Unable to parse 'log_frequency', got: x"},
  };
  for (const auto& row : kRows) {
    TraceUpdate update;
    const Status status = row.set(row.text, &update);
    EXPECT_EQ(status.message(), row.message == nullptr ? "" : row.message) << row.text;
  }
}

TEST(TraceSettingsTest, ReadsLevels) {
  TraceUpdate update;
  EXPECT_EQ(SetLevels({"OFF", "TIMESTAMPS"}, &update).message(),
            "Expect only one trace level 'OFF' is specified");
  EXPECT_TRUE(SetLevels({"NONE"}, &update).ok());
  EXPECT_EQ(update.level.change, Change::kKeep);
  EXPECT_TRUE(SetLevels({"TIMESTAMPS", "TENSORS"}, &update).ok());
  EXPECT_EQ(LevelNames(update.level.value),
            (std::vector<std::string_view>{"TIMESTAMPS", "TENSORS"}));
}

TEST(TraceSettingsTest, RefusesWhatTracesNothing) {
  TraceSettings nowhere{TraceOptions()};
  EXPECT_EQ(nowhere.Update("", Level("TIMESTAMPS")).message(),
            "Attempting to set invalid trace setting :trace file name is not given");
  EXPECT_FALSE(nowhere.is_on());
  TraceSettings settings(ToFile());
  ASSERT_TRUE(settings.Update("", Level("TIMESTAMPS")).ok());
  EXPECT_EQ(settings.Update("", Rate("0")).message(),
            "Attempting to set invalid trace setting :sample rate must be non-zero");
  EXPECT_EQ(settings.Update("", Count("0")).message(), "Attempting to set invalid trace setting :");
  EXPECT_EQ(settings.Get("").rate, 1u);
  EXPECT_EQ(settings.Get("").count, -1);
}

TEST(TraceSettingsTest, AModelFollowsWhatItDoesNotSet) {
  TraceSettings settings(ToFile());
  ASSERT_TRUE(settings.Update("m", Rate("11")).ok());
  ASSERT_TRUE(settings.Update("", Level("TIMESTAMPS")).ok());
  ASSERT_TRUE(settings.Update("", Rate("3")).ok());
  EXPECT_TRUE(settings.Get("m").level.timestamps);
  EXPECT_EQ(settings.Get("m").rate, 11u);
  EXPECT_EQ(settings.Get("other").rate, 3u);
  TraceUpdate clear;
  clear.rate.change = Change::kClear;
  ASSERT_TRUE(settings.Update("m", clear).ok());
  EXPECT_EQ(settings.Get("m").rate, 3u);
  ASSERT_TRUE(settings.Update("", clear).ok());
  EXPECT_EQ(settings.Get("m").rate, 1u);
}

TEST(TraceSettingsTest, IsOnWhileAnyModelIsTraced) {
  TraceSettings settings(ToFile());
  EXPECT_FALSE(settings.is_on());
  ASSERT_TRUE(settings.Update("m", Level("TENSORS")).ok());
  EXPECT_TRUE(settings.is_on());
  EXPECT_EQ(TakenOf(&settings, "other", 5), 0);
  EXPECT_EQ(TakenOf(&settings, "m", 5), 5);
  ASSERT_TRUE(settings.Update("m", Level("OFF")).ok());
  EXPECT_FALSE(settings.is_on());
}

TEST(TraceSettingsTest, TakesEveryNthUntilTheCountIsReached) {
  TraceSettings settings(ToFile());
  ASSERT_TRUE(settings.Update("", Level("TIMESTAMPS")).ok());
  ASSERT_TRUE(settings.Update("", Rate("3")).ok());
  EXPECT_EQ(TakenOf(&settings, "m", 7), 2);
  ASSERT_TRUE(settings.Update("", Count("2")).ok());
  EXPECT_FALSE(settings.Take("m", false).has_value());
  EXPECT_FALSE(settings.Take("m", false).has_value());
  const auto first = settings.Take("m", false);
  ASSERT_TRUE(first.has_value());
  EXPECT_FALSE(first->series->is_full.load());
  EXPECT_EQ(TakenOf(&settings, "m", 10), 1);
  EXPECT_TRUE(first->series->is_full.load());
  EXPECT_EQ(settings.Get("").count, 0);
}

TEST(TraceSettingsTest, TakesWhatAClientTracesBesidesTheRate) {
  TraceOptions options;
  options.mode = TraceMode::kOpenTelemetry;
  options.values.rate = 0;
  options.values.level.timestamps = true;
  TraceSettings settings(options);
  EXPECT_TRUE(settings.is_on());
  EXPECT_FALSE(settings.Take("m", false).has_value());
  EXPECT_TRUE(settings.Take("m", true).has_value());
}

}  // namespace
}  // namespace pt::api
