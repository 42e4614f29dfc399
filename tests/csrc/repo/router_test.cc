#include "repo/router.h"

#include <gtest/gtest.h>

#include "infer/fakes.h"

namespace pt::repo {
namespace {

class RouterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    RouteTable table;
    table["m"].versions[1].model = &one_;
    table["m"].versions[3].model = &three_;
    table["m"].versions[7].model = nullptr;
    table["down"].versions[1].model = nullptr;
    router_.Publish(std::move(table));
  }

  void ExpectError(std::string_view name, std::string_view version, Code code,
                   const std::string& message) {
    const Result<ModelHandle> found = router_.Find(name, version);
    ASSERT_FALSE(found.ok());
    EXPECT_EQ(found.status().code(), code);
    EXPECT_EQ(found.status().message(), message);
  }

  Model one_{testing::NamedConfig("m", 1), 1};
  Model three_{testing::NamedConfig("m", 3), 2};
  Router router_;
};

TEST_F(RouterTest, FindsTheHighestReadyVersion) {
  EXPECT_EQ(router_.Find("m", "").value().get(), &three_);
}

TEST_F(RouterTest, FindsTheNamedVersion) {
  EXPECT_EQ(router_.Find("m", "1").value().get(), &one_);
  EXPECT_EQ(router_.Find("m", "003").value().get(), &three_);
  EXPECT_EQ(one_.users(), 0) << "the handle unpinned it";
}

TEST_F(RouterTest, SaysWhyNothingWasFound) {
  ExpectError("x", "", Code::kNotFound, "Request for unknown model: 'x' is not found");
  ExpectError("x", "2", Code::kNotFound, "Request for unknown model: 'x' version 2 is not found");
  ExpectError("m", "2", Code::kNotFound, "Request for unknown model: 'm' version 2 is not found");
  ExpectError("m", "0", Code::kNotFound, "Request for unknown model: 'm' version 0 is not found");
  ExpectError("m", "7", Code::kUnavailable,
              "Request for unknown model: 'm' version 7 is not at ready state");
  ExpectError("down", "", Code::kNotFound,
              "Request for unknown model: 'down' has no available versions");
}

TEST_F(RouterTest, RefusesVersionsThatAreNoNumber) {
  const std::string end = ", version should be an integral value > 0";
  const std::string start = "failed to get model version from specified version string '";
  for (const char* text : {"x", "1x", " 1", "99999999999999999999"}) {
    ExpectError("m", text, Code::kInvalidArgument, start + text + "' (details: stol)" + end);
  }
  ExpectError("m", "-1", Code::kInvalidArgument, start + "-1'" + end);
}

TEST_F(RouterTest, SkipsAVersionThatDrains) {
  three_.Drain([] {});
  EXPECT_EQ(router_.Find("m", "").value().get(), &one_);
}

}  // namespace
}  // namespace pt::repo
