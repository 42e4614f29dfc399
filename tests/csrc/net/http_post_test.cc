#include "net/http_post.h"

#include <gtest/gtest.h>

#include <string>

namespace pt::net {
namespace {

TEST(HttpUrlTest, ReadsPlainUrls) {
  const struct {
    const char* text;
    const char* host;
    const char* port;
    const char* path;
  } kRows[] = {
      {"http://localhost:4318/v1/traces", "localhost", "4318", "/v1/traces"},
      {"http://collector", "collector", "80", "/"},
      {"http://[::1]:4318/v1?a=b", "::1", "4318", "/v1?a=b"},
      {"http://[::1]", "::1", "80", "/"},
      {"https://collector/v1", "collector", "443", "/v1"},
      {"https://[::1]:4318", "::1", "4318", "/"},
  };
  for (const auto& row : kRows) {
    const Result<HttpUrl> url = HttpUrl::Parse(row.text);
    ASSERT_TRUE(url.ok()) << row.text;
    EXPECT_EQ(url->host, row.host);
    EXPECT_EQ(url->port, row.port);
    EXPECT_EQ(url->path, row.path);
    EXPECT_EQ(url->is_secure, std::string(row.text).starts_with("https"));
  }
  for (const char* bad :
       {"", "httpss://a:1/b", "a:1/b", "http://", "http://:1/b", "http://a:0/b", "http://a:x/b",
        "http://a:70000", "http://u@h:1/", "http://a:1/b\r\nc", "http://[::1"}) {
    EXPECT_FALSE(HttpUrl::Parse(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace pt::net
