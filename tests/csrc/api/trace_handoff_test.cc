#include "api/trace_handoff.h"

#include <gtest/gtest.h>

#include <string>

#include "api/trace_context.h"

namespace pt::api {
namespace {

constexpr std::string_view kCaller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST(TraceHandoff, ReadsNumbersWithAndWithoutAContext) {
  const auto plain = ReadTraceHandoff("12 3 100");
  ASSERT_TRUE(plain.has_value());
  EXPECT_EQ(plain->id, 12U);
  EXPECT_TRUE(plain->has_timestamps);
  EXPECT_TRUE(plain->has_tensors);
  EXPECT_EQ(plain->log_frequency, 100U);
  EXPECT_EQ(plain->context.span_id, 0U);
  const auto spans = ReadTraceHandoff("1 0 0 {\"traceparent\":\"" + std::string(kCaller) +
                                      "\",\"tracestate\":\"a=b\"}");
  ASSERT_TRUE(spans.has_value());
  EXPECT_FALSE(spans->has_timestamps);
  EXPECT_FALSE(spans->has_tensors);
  EXPECT_EQ(WriteTraceParent(spans->context, spans->context.span_id), kCaller);
  EXPECT_EQ(spans->context.state, "a=b");
}

TEST(TraceHandoff, IsNoneWithoutItsNumbers) {
  for (const std::string_view text : {"", "x", "1", "1 2", "0 1 1", "-1 1 1", "1 1 x", "1,1,1",
                                      "18446744073709551616 1 1", "1 1 4294967296", "{}"}) {
    EXPECT_FALSE(ReadTraceHandoff(text).has_value()) << text;
  }
}

TEST(TraceHandoff, HasNoSpanWhereTheContextIsNone) {
  for (const std::string_view context :
       {"{", "[]", "{}", "{\"traceparent\":1}", "{\"traceparent\":\"00-0-0-01\"}", "x"}) {
    const auto handoff = ReadTraceHandoff("1 1 0 " + std::string(context));
    ASSERT_TRUE(handoff.has_value()) << context;
    EXPECT_EQ(handoff->context.span_id, 0U) << context;
  }
}

TEST(TraceHandoff, IsTakenOutOfTheParameters) {
  Parameters parameters{{"mine", int64_t{1}}, {std::string(kTraceParameter), "7 1 0"}};
  const auto handoff = TakeTraceHandoff(&parameters);
  ASSERT_TRUE(handoff.has_value());
  EXPECT_EQ(handoff->id, 7U);
  ASSERT_EQ(parameters.size(), 1U);
  EXPECT_EQ(parameters[0].first, "mine");
  EXPECT_FALSE(TakeTraceHandoff(&parameters).has_value());
  Parameters wrong{{std::string(kTraceParameter), int64_t{7}}};
  EXPECT_FALSE(TakeTraceHandoff(&wrong).has_value());
  EXPECT_TRUE(wrong.empty());
}

}  // namespace
}  // namespace pt::api
