#include "wire/http1.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace pt::wire {
namespace {

Http1Fault Parse(const std::string& head, Http1Request* request) {
  Http1HeadScanner scanner;
  EXPECT_EQ(scanner.Scan(head), Http1HeadScanner::State::kComplete);
  EXPECT_EQ(scanner.head_size(), head.size());
  return ParseHttp1Head(head, request);
}

int StatusOf(const std::string& head) {
  Http1Request request;
  return Parse(head, &request).status;
}

TEST(Http1HeadTest, ParsesInPlace) {
  Http1Request request;
  const std::string head =
      "POST http://h/v2/models/m%20/infer?x=1#f HTTP/1.1\r\nHost: h\r\nX-Empty:\r\n"
      "content-LENGTH:\t 12 \r\nExpect: anything\r\n\r\n";
  ASSERT_TRUE(Parse(head, &request).ok());
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.target, "http://h/v2/models/m%20/infer?x=1#f");
  EXPECT_EQ(request.minor_version, 1);
  ASSERT_EQ(request.fields.size(), 4u);
  EXPECT_EQ(request.fields[1].name, "X-Empty");
  EXPECT_EQ(request.fields[1].value, "");
  EXPECT_EQ(request.fields[2].value, "12");
  EXPECT_EQ(request.body, BodyKind::kLength);
  EXPECT_EQ(request.content_length, 12u);
  EXPECT_TRUE(request.keeps_alive);
  EXPECT_TRUE(request.expects_continue);
  EXPECT_GE(request.method.data(), head.data());
  EXPECT_LE(request.fields[3].value.data(), head.data() + head.size());
}

TEST(Http1HeadTest, KnowsWhetherTheConnectionStays) {
  struct Case {
    const char* head;
    bool keeps_alive;
  };
  for (const Case& test : std::initializer_list<Case>{
           {"GET / HTTP/1.1\r\n\r\n", true},
           {"GET / HTTP/1.1\r\nConnection: CLOSE\r\n\r\n", false},
           {"GET / HTTP/1.1\r\nConnection: upgrade, close\r\n\r\n", false},
           {"GET / HTTP/1.0\r\n\r\n", false},
           {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true},
       }) {
    Http1Request request;
    ASSERT_TRUE(Parse(test.head, &request).ok());
    EXPECT_EQ(request.keeps_alive, test.keeps_alive) << test.head;
  }
}

TEST(Http1HeadTest, RefusesWhatTheStandardForbids) {
  EXPECT_EQ(StatusOf("GET / HTTP/1.1\r\nNoColon\r\n\r\n"), 400);
  EXPECT_EQ(StatusOf("GET / HTTP/1.1\r\nName : value\r\n\r\n"), 400);
  EXPECT_EQ(StatusOf("GET / HTTP/1.1\r\n: value\r\n\r\n"), 400);
  EXPECT_EQ(StatusOf("GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n"), 400);
  EXPECT_EQ(StatusOf("GET / HTTP/1.1\r\nA:\r\n\tfolded\r\n\r\n"), 400);
  EXPECT_EQ(StatusOf(std::string("GET / HTTP/1.1\r\nA: b\0c\r\n\r\n", 26)), 400);
  EXPECT_EQ(StatusOf("G(T / HTTP/1.1\r\n\r\n"), 400);
  EXPECT_EQ(StatusOf("GET /a b HTTP/1.1\r\n\r\n"), 400);
  EXPECT_EQ(StatusOf("GET  HTTP/1.1\r\n\r\n"), 400);
  EXPECT_EQ(StatusOf("GET /\r\n\r\n"), 400);
  EXPECT_EQ(StatusOf("GET / HTTP/1.2\r\n\r\n"), 400);
  EXPECT_EQ(StatusOf("GET / HTTP/2.0\r\n\r\n"), 505);
  EXPECT_EQ(StatusOf("GET / HTTP/3.0\r\n\r\n"), 505);
  EXPECT_EQ(StatusOf("PRI * HTTP/2.0\r\n\r\n"), 505);
}

TEST(Http1HeadTest, RefusesUnclearLengths) {
  const std::string post = "POST / HTTP/1.1\r\n";
  EXPECT_EQ(StatusOf(post + "Content-Length: 3\r\nContent-Length: 4\r\n\r\n"), 400);
  EXPECT_EQ(StatusOf(post + "Content-Length: 3\r\nContent-Length: 3\r\n\r\n"), 0);
  EXPECT_EQ(StatusOf(post + "Content-Length: 3, 4\r\n\r\n"), 400);
  EXPECT_EQ(StatusOf(post + "Content-Length: +3\r\n\r\n"), 400);
  EXPECT_EQ(StatusOf(post + "Content-Length: 0x3\r\n\r\n"), 400);
  EXPECT_EQ(StatusOf(post + "Content-Length: 18446744073709551616\r\n\r\n"), 400);
  EXPECT_EQ(StatusOf(post + "Content-Length: 18446744073709551615\r\n\r\n"), 0);
  EXPECT_EQ(StatusOf(post + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
  EXPECT_EQ(StatusOf(post + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"), 400);
  EXPECT_EQ(StatusOf(post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
            400);
  EXPECT_EQ(StatusOf(post + "Transfer-Encoding: identity\r\n\r\n"), 501);
  EXPECT_EQ(StatusOf(post + "Transfer-Encoding: chunked, gzip\r\n\r\n"), 501);
  EXPECT_EQ(StatusOf("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
}

TEST(Http1HeadScannerTest, FindsTheEndHoweverTheBytesCome) {
  const std::string head = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
  for (size_t split = 0; split < head.size(); ++split) {
    Http1HeadScanner scanner;
    EXPECT_EQ(scanner.Scan(head.substr(0, split)), Http1HeadScanner::State::kMore) << split;
    EXPECT_EQ(scanner.Scan(head + "GET"), Http1HeadScanner::State::kComplete) << split;
    EXPECT_EQ(scanner.head_size(), head.size());
  }
  EXPECT_EQ(Http1HeadScanner().Scan("GET / HTTP/1.1\nHost"), Http1HeadScanner::State::kBad);
  EXPECT_EQ(Http1HeadScanner().Scan("\n"), Http1HeadScanner::State::kBad);
}

// Decodes `bytes` given in two parts; nullopt: not complete.
std::optional<std::string> Dechunk(const std::string& bytes, size_t split, Http1Fault* fault,
                                   uint64_t max_size = 1 << 20) {
  Http1ChunkedBody body(max_size);
  std::string decoded;
  size_t given = 0;
  for (const size_t end : {split, bytes.size()}) {
    size_t consumed = 0;
    *fault = body.Decode(std::string_view(bytes).substr(given, end - given), &consumed,
                         [&decoded](std::string_view data) { decoded.append(data); });
    if (!fault->ok()) return std::nullopt;
    given += consumed;
  }
  if (!body.is_complete()) return std::nullopt;
  EXPECT_EQ(bytes.substr(given), "NEXT");
  return decoded;
}

TEST(Http1ChunkedBodyTest, DecodesHoweverTheBytesCome) {
  const std::string bytes =
      "3\r\nabc\r\n00A;name=value;q=\"a\\\"b\"\r\n0123456789\r\n0;last\r\nTrailer: x\r\nB: "
      "y\r\n\r\nNEXT";
  for (size_t split = 0; split <= bytes.size(); ++split) {
    Http1Fault fault;
    const auto decoded = Dechunk(bytes, split, &fault);
    ASSERT_TRUE(decoded.has_value()) << split << " " << fault.message;
    EXPECT_EQ(*decoded, "abc0123456789") << split;
  }
}

TEST(Http1ChunkedBodyTest, DecodesWhatComesByteByByte) {
  for (const std::string bytes : {"0\r\n\r\n", "00\r\n\r\n", "1\r\n0\r\n0\r\nT: x\r\n\r\n"}) {
    Http1ChunkedBody body(10);
    std::string decoded;
    size_t given = 0;
    for (size_t end = 1; end <= bytes.size(); ++end) {
      ASSERT_FALSE(body.is_complete());
      size_t consumed = 0;
      const Http1Fault fault =
          body.Decode(std::string_view(bytes).substr(given, end - given), &consumed,
                      [&decoded](std::string_view data) { decoded.append(data); });
      ASSERT_TRUE(fault.ok()) << bytes << fault.message;
      given += consumed;
    }
    EXPECT_TRUE(body.is_complete());
    EXPECT_EQ(decoded, bytes[0] == '1' ? "0" : "");
  }
}

TEST(Http1ChunkedBodyTest, RefusesBadFramingHoweverTheBytesCome) {
  for (const std::string bytes : {"x\r\n", "-1\r\nabc", "3\nabc\r\n", "3\r\nabcd\r\n0\r\n\r\n",
                                  "3\r\nabc3\r\nabc\r\n", "10000000000000000\r\n", "3 3\r\nabc",
                                  "3;=\r\nabc\r\n0\r\n\r\n", "0\r\nbad trailer\r\n\r\n"}) {
    for (size_t split = 0; split <= bytes.size(); ++split) {
      Http1Fault fault;
      EXPECT_FALSE(Dechunk(bytes, split, &fault).has_value()) << bytes;
      EXPECT_EQ(fault.status, 400) << bytes << split;
    }
  }
}

TEST(Http1ChunkedBodyTest, LimitsData) {
  Http1Fault fault;
  EXPECT_TRUE(Dechunk("3\r\nabc\r\n0\r\n\r\nNEXT", 0, &fault, 3).has_value());
  EXPECT_FALSE(Dechunk("3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n", 0, &fault, 3).has_value());
  EXPECT_EQ(fault.status, 413);
  EXPECT_FALSE(Dechunk("fffffffffffffffe\r\na", 0, &fault, 3).has_value());
  EXPECT_EQ(fault.status, 413);
}

TEST(Http1ChunkedBodyTest, LimitsFraming) {
  Http1Fault fault;
  EXPECT_FALSE(Dechunk("3;x=" + std::string(40000, 'x'), 0, &fault).has_value());
  EXPECT_EQ(fault.status, 431);
  EXPECT_FALSE(Dechunk("0\r\nT: " + std::string(40000, 'x'), 0, &fault).has_value());
  EXPECT_EQ(fault.status, 431);
}

TEST(Http1ChunkedBodyTest, RefusesAFloodOfTinyChunks) {
  Http1Fault fault;
  std::string flood;
  for (int i = 0; i < 10000; ++i) flood += "1\r\nx\r\n";
  EXPECT_FALSE(Dechunk(flood, 0, &fault).has_value());
  EXPECT_EQ(fault.status, 400);
  EXPECT_NE(fault.message.find("expected chunks of at least"), std::string::npos);
}

std::string Write(const Http1ResponseHead& head) {
  std::string out(MaxHeadSize(head), '\0');
  out.resize(WriteHead(head, out.data()));
  return out;
}

TEST(Http1ResponseTest, WritesFieldsInTritonsOrder) {
  const std::vector<std::pair<std::string, std::string>> more = {{"Accept-Encoding", "gzip"}};
  Http1ResponseHead head;
  head.content_type = "application/octet-stream";
  head.inference_header_length = 12345;
  head.content_encoding = "gzip";
  head.more_fields = &more;
  head.content_length = 18446744073709551615u;
  head.connection = ConnectionField::kClose;
  EXPECT_EQ(Write(head),
            "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
            "Inference-Header-Content-Length: 12345\r\nContent-Encoding: gzip\r\n"
            "Accept-Encoding: gzip\r\nContent-Length: 18446744073709551615\r\n"
            "Connection: close\r\n\r\n");
  Http1ResponseHead plain;
  plain.minor_version = 0;
  plain.status = 405;
  plain.content_type = "text/plain";
  plain.connection = ConnectionField::kKeepAlive;
  EXPECT_EQ(Write(plain),
            "HTTP/1.0 405 Not Allowed\r\nContent-Length: 0\r\nConnection: keep-alive\r\n"
            "Content-Type: text/plain\r\n\r\n");
}

TEST(Http1ResponseTest, WritesChunkSizes) {
  char out[kMaxChunkSize];
  EXPECT_EQ(std::string(out, WriteChunkSize(0x1f4, out)), "1f4\r\n");
  EXPECT_EQ(WriteChunkSize(~uint64_t{0}, out), kMaxChunkSize);
}

}  // namespace
}  // namespace pt::wire
