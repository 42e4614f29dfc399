#include "base/options.h"

#include <gtest/gtest.h>

#include <set>

namespace pt {
namespace {

TEST(OptionTableTest, EveryRowIsSound) {
  std::set<std::string_view> names;
  for (const OptionSpec& spec : OptionTable()) {
    EXPECT_TRUE(names.insert(spec.name).second) << spec.name << " stands there twice";
    EXPECT_FALSE(spec.help.empty()) << spec.name;
    EXPECT_FALSE(spec.help.ends_with('.')) << spec.name;
    EXPECT_FALSE(spec.group.empty()) << spec.name;
    EXPECT_EQ(spec.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-"),
              std::string_view::npos)
        << spec.name;
  }
}

TEST(OptionTableTest, EveryDefaultPassesItsOwnCheck) {
  for (const OptionSpec& spec : OptionTable()) {
    if (spec.default_value.empty()) continue;
    OptionValues values;
    const Status status = values.Set(spec.name, spec.default_value);
    EXPECT_TRUE(status.ok()) << spec.name << ": " << status.message();
  }
}

TEST(OptionTableTest, RowsOfAGroupStandTogether) {
  std::set<std::string_view> ended;
  std::string_view group;
  for (const OptionSpec& spec : OptionTable()) {
    if (spec.group == group) continue;
    EXPECT_TRUE(ended.insert(spec.group).second) << spec.group << " appears twice";
    group = spec.group;
  }
}

TEST(OptionTableTest, HasTritonsDefaults) {
  const OptionValues values;
  EXPECT_EQ(values.GetInt("http-port"), 8000);
  EXPECT_EQ(values.GetInt("grpc-port"), 8001);
  EXPECT_EQ(values.GetInt("metrics-port"), 8002);
  EXPECT_EQ(values.GetString("http-address"), "0.0.0.0");
  EXPECT_EQ(values.GetString("id"), "triton");
  EXPECT_EQ(values.GetInt("exit-timeout-secs"), 30);
  EXPECT_TRUE(values.GetBool("allow-http"));
  EXPECT_EQ(values.GetInt("http-max-input-size"), 67108864);
  EXPECT_EQ(values.GetDouble("metrics-interval-ms"), 2000.0);
  EXPECT_TRUE(values.GetList("model-repository").empty());
  EXPECT_FALSE(values.IsSet("http-port"));
}

struct Case {
  const char* name;
  const char* text;
  const char* stored;  // null: refused
};

class OptionValueTest : public ::testing::TestWithParam<Case> {};

TEST_P(OptionValueTest, ChecksAndStores) {
  OptionValues values;
  const Status status = values.Set(GetParam().name, GetParam().text);
  if (GetParam().stored == nullptr) {
    EXPECT_EQ(status.code(), Code::kInvalidArgument);
    EXPECT_FALSE(values.IsSet(GetParam().name));
    return;
  }
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(values.GetString(GetParam().name), GetParam().stored);
}

INSTANTIATE_TEST_SUITE_P(
    Table, OptionValueTest,
    ::testing::Values(
        Case{"allow-http", "On", "true"}, Case{"allow-http", "0", "false"},
        Case{"allow-http", "FALSE", "false"}, Case{"allow-http", "maybe", nullptr},
        Case{"allow-http", "", nullptr}, Case{"http-port", "65535", "65535"},
        Case{"http-port", "+80", "80"}, Case{"http-port", "65536", nullptr},
        Case{"http-port", "-1", nullptr}, Case{"http-port", "4x", nullptr},
        Case{"http-port", "99999999999999999999", nullptr}, Case{"http-port", "", nullptr},
        Case{"exit-timeout-secs", "-1", "-1"}, Case{"log-verbose", "true", "1"},
        Case{"log-format", "iso8601", "ISO8601"}, Case{"log-format", "JSON", "json"},
        Case{"log-format", "x", nullptr}, Case{"log-format", "", nullptr},
        Case{"grpc-infer-response-compression-level", "HIGH", "high"},
        Case{"metrics-interval-ms", "1.5", "1.5"}, Case{"metrics-interval-ms", "nan", nullptr},
        Case{"metrics-interval-ms", "x", nullptr}, Case{"http-address", "::1", "::1"}));

TEST(OptionValuesTest, SaysWhatWasExpected) {
  OptionValues values;
  EXPECT_EQ(values.Set("http-port", "abc").message(),
            "option --http-port: expected an integer from 0 to 65535, got 'abc'");
  EXPECT_EQ(values.Set("log-format", "x").message(),
            "option --log-format: expected one of default|ISO8601|json, got 'x'");
  EXPECT_EQ(values.Set("strict-readiness", "maybe").message(),
            "option --strict-readiness: expected true, on, 1, false, off or 0, got 'maybe'");
}

TEST(OptionValuesTest, NamesTheNearestKnownOption) {
  OptionValues values;
  EXPECT_EQ(values.Set("htp-port", "1").message(),
            "unknown option --htp-port; did you mean --http-port?");
  EXPECT_EQ(values.Set("http_port", "1").message(),
            "unknown option --http_port; did you mean --http-port?");
  EXPECT_EQ(values.Set("zzzzzzzzzzzz", "1").message(), "unknown option --zzzzzzzzzzzz");
  EXPECT_FALSE(values.Set("", "1").ok());
  EXPECT_FALSE(values.Set(std::string(100000, 'a'), "1").ok());
}

TEST(OptionValuesTest, TheLastValueWinsAndListsCollect) {
  OptionValues values;
  ASSERT_TRUE(values.Set("http-port", "1").ok());
  ASSERT_TRUE(values.Set("http-port", "2").ok());
  EXPECT_EQ(values.GetInt("http-port"), 2);
  ASSERT_TRUE(values.Set("trace-config", "rate=1").ok());
  ASSERT_TRUE(values.Set("trace-config", "level=OFF").ok());
  EXPECT_EQ(values.GetList("trace-config"), (std::vector<std::string>{"rate=1", "level=OFF"}));
}

TEST(OptionValuesTest, ARefusedValueChangesNothing) {
  OptionValues values;
  ASSERT_TRUE(values.Set("http-port", "1").ok());
  EXPECT_FALSE(values.Set("http-port", "x").ok());
  EXPECT_EQ(values.GetInt("http-port"), 1);
}

TEST(EnvironmentNameTest, IsPyTritons) {
  EXPECT_EQ(EnvironmentName("http-port"), "PYTRITON_TRITON_CONFIG_HTTP_PORT");
  EXPECT_EQ(EnvironmentName("id"), "PYTRITON_TRITON_CONFIG_ID");
}

}  // namespace
}  // namespace pt
