#include "base/log.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>

#include "base/log_format.h"

namespace pt {
namespace {

LogLine Line(std::string_view message, std::string_view request_id = {}) {
  // 2026-11-23 03:23:19.741924 UTC
  const std::chrono::system_clock::time_point time{
      std::chrono::microseconds{int64_t{1795404199} * 1000000 + 741924}};
  return {time, LogLevel::kInfo, "/src/csrc/api/rest.cc:12", request_id, message};
}

std::string Format(LogFormat format, const LogLine& line) {
  LogFormatter formatter(77);
  std::string text;
  formatter.Append(line, format, &text);
  return text;
}

TEST(LogFormatterTest, WritesTritonsForms) {
  EXPECT_EQ(Format(LogFormat::kDefault, Line("hi\n\"x\"")),
            "I1123 03:23:19.741924 77 rest.cc:12] \"hi\\n\\\"x\\\"\"\n");
  EXPECT_EQ(Format(LogFormat::kIso8601, Line("hi", "r1")),
            "2026-11-23T03:23:19Z I 77 rest.cc:12] \"[request id: r1] hi\"\n");
}

TEST(LogFormatterTest, WritesOneJsonObjectALine) {
  EXPECT_EQ(Format(LogFormat::kJson, Line("hi")),
            R"({"ts":"2026-11-23T03:23:19.741924Z","level":"info","where":"rest.cc:12","msg":"hi"})"
            "\n");
  EXPECT_EQ(
      Format(LogFormat::kJson, Line("a\tb", "r\"1")),
      R"({"ts":"2026-11-23T03:23:19.741924Z","level":"info","where":"rest.cc:12","request_id":"r\"1","msg":"a\tb"})"
      "\n");
}

TEST(LogFormatterTest, FollowsTheClockAndTheFormat) {
  LogFormatter formatter(1);
  std::string text;
  LogLine line = Line("x");
  formatter.Append(line, LogFormat::kDefault, &text);
  line.time += std::chrono::seconds(1);
  formatter.Append(line, LogFormat::kDefault, &text);
  formatter.Append(line, LogFormat::kIso8601, &text);
  EXPECT_NE(text.find("03:23:19.741924"), std::string::npos);
  EXPECT_NE(text.find("03:23:20.741924"), std::string::npos);
  EXPECT_NE(text.find("2026-11-23T03:23:20Z"), std::string::npos);
}

TEST(JsonEscapeTest, KeepsUtf8AndReplacesWhatIsNone) {
  const auto escaped = [](std::string_view text) {
    std::string out;
    AppendJsonEscaped(text, &out);
    return out;
  };
  EXPECT_EQ(escaped("gr\xC3\xBC\xC3\x9F"), "gr\xC3\xBC\xC3\x9F");
  EXPECT_EQ(escaped("\xF0\x9F\x98\x80"), "\xF0\x9F\x98\x80");
  EXPECT_EQ(escaped("a\xFFz"), "a\xEF\xBF\xBDz");
  EXPECT_EQ(escaped("\xC3"), "\xEF\xBF\xBD") << "cut";
  EXPECT_EQ(escaped("\xC0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD") << "overlong";
  EXPECT_EQ(escaped("\xED\xA0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD") << "surrogate";
  EXPECT_EQ(escaped(std::string_view("\0\x1F\x7F\\", 4)), "\\u0000\\u001f\\u007f\\\\");
}

class LoggerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char path[] = "/tmp/pytriton_log_test_XXXXXX";
    const int fd = mkstemp(path);
    ASSERT_GE(fd, 0);
    close(fd);
    path_ = path;
    options_.file = path_;
  }
  void TearDown() override { std::remove(path_.c_str()); }

  std::unique_ptr<Logger> Make() {
    auto logger = Logger::Create(options_);
    EXPECT_TRUE(logger.ok()) << logger.status().message();
    return std::move(logger).value();
  }

  std::string Written() const {
    std::ifstream file(path_);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }

  std::string path_;
  LogOptions options_;
};

TEST_F(LoggerTest, WritesWhatIsOnAfterFlush) {
  const auto logger = Make();
  PT_LOG(logger.get(), kInfo, "first");
  PT_VLOG(logger.get(), 1, "r1", std::string("never"));
  logger->Flush();
  EXPECT_NE(Written().find("log_test.cc:"), std::string::npos);
  EXPECT_NE(Written().find("\"first\""), std::string::npos);
  EXPECT_EQ(Written().find("never"), std::string::npos);
}

TEST_F(LoggerTest, EvaluatesNoMessageThatIsOff) {
  options_.warning = false;
  const auto logger = Make();
  int evaluated = 0;
  const auto message = [&evaluated] {
    ++evaluated;
    return "x";
  };
  PT_LOG(logger.get(), kWarning, message());
  PT_LOG(static_cast<Logger*>(nullptr), kError, message());
  EXPECT_EQ(evaluated, 0);
  PT_LOG(logger.get(), kError, message());
  EXPECT_EQ(evaluated, 1);
}

TEST_F(LoggerTest, WritesTheRestWhenDestroyed) {
  {
    const auto logger = Make();
    for (int i = 0; i < 100; ++i) logger->Log(LogLevel::kInfo, "x.cc:1", "line");
  }
  const std::string text = Written();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 100);
}

TEST_F(LoggerTest, SaysHowManyLinesWereDropped) {
  options_.queue_capacity = 4;
  {
    const auto logger = Make();
    for (int i = 0; i < 20000; ++i) logger->Log(LogLevel::kInfo, "x.cc:1", std::string(200, 'x'));
  }
  EXPECT_NE(Written().find("log lines were dropped here: the queue was full"), std::string::npos);
}

TEST_F(LoggerTest, LeavesVerboseLinesOutBeforeTheyAreBuilt) {
  options_.verbose_level = 1;
  constexpr int kCalls = 1000000;
  int built = 0;
  {
    const auto logger = Make();
    const auto message = [&built] {
      ++built;
      return "x";
    };
    for (int i = 0; i < kCalls; ++i) PT_VLOG(logger.get(), 1, "", message());
  }
  EXPECT_LT(built, kCalls);
  EXPECT_NE(Written().find(" verbose lines were left out here: more than 10,000 a second"),
            std::string::npos);
}

TEST_F(LoggerTest, UpdateChangesLevelsAndFormatButNotTheFile) {
  const auto logger = Make();
  LogOptions options = logger->options();
  EXPECT_EQ(options.file, path_);
  options.verbose_level = 2;
  options.info = false;
  options.format = LogFormat::kJson;
  options.file = "/elsewhere";
  logger->Update(options);
  EXPECT_TRUE(logger->IsOn(LogLevel::kVerbose, 2));
  EXPECT_FALSE(logger->IsOn(LogLevel::kVerbose, 3));
  EXPECT_FALSE(logger->IsOn(LogLevel::kInfo));
  EXPECT_EQ(logger->options().file, path_);
  PT_VLOG(logger.get(), 2, "r7", "deep");
  logger->Flush();
  EXPECT_NE(Written().find(R"("request_id":"r7","msg":"deep"})"), std::string::npos);
}

TEST_F(LoggerTest, SaysWhyAFileCannotBeOpened) {
  options_.file = "/no/such/dir/log";
  const auto logger = Logger::Create(options_);
  ASSERT_FALSE(logger.ok());
  EXPECT_EQ(logger.status().code(), Code::kUnavailable);
  EXPECT_NE(logger.status().message().find("'/no/such/dir/log': No such file"), std::string::npos);
}

}  // namespace
}  // namespace pt
