// For tests of Http2Session with frames made by hand, which no client would send.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "wire/hpack_encoder.h"
#include "wire/http2.h"

namespace pt::wire {

using Type = Http2FrameType;

inline constexpr uint8_t kEnd = kHttp2EndStream;
inline constexpr uint8_t kWhole = kHttp2EndHeaders;
inline constexpr std::array<Http2Field, 1> kOk{{{":status", "200"}}};

inline std::string Frame(Type type, uint8_t flags, uint32_t id, std::string_view payload) {
  std::string bytes;
  AppendFrame({static_cast<uint32_t>(payload.size()), type, flags, id}, payload, &bytes);
  return bytes;
}

inline std::string Big32(uint32_t value) {
  char bytes[4];
  WriteBig32(bytes, value);
  return {bytes, 4};
}

inline std::string Setting(Http2Setting setting, uint32_t value) {
  std::string payload;
  AppendSetting(setting, value, &payload);
  return Frame(Type::kSettings, 0, 0, payload);
}

// A request's head: POST / with `more` fields.
inline std::string Block(const std::vector<Http2Field>& more = {}) {
  std::vector<Http2Field> fields{{":method", "POST"}, {":scheme", "http"}, {":path", "/"}};
  fields.insert(fields.end(), more.begin(), more.end());
  std::string block;
  HpackEncoder::EncodeOnce(fields, &block);
  return block;
}

inline std::string Trailers() {
  std::string block;
  HpackEncoder::EncodeOnce(std::array<Http2Field, 1>{{{"checksum", "1"}}}, &block);
  return block;
}

inline std::string Open(uint32_t id, uint8_t flags = kWhole) {
  return Frame(Type::kHeaders, flags, id, Block());
}

struct TestStream : Http2Stream {
  std::string body;
  bool is_ended = false;
  bool is_closed = false;
};

class Http2FramesTest : public ::testing::Test, public Http2Events, public Http2Output {
 protected:
  void SetUp() override { Begin({}); }
  void TearDown() override { session_.reset(); }

  void Begin(const Http2Limits& limits) {
    session_.reset();
    streams_.clear();
    output_.clear();
    session_ = std::move(Http2Session::Create(limits, this, this)).value();
    ASSERT_TRUE(Say(std::string(kHttp2Preface) + Frame(Type::kSettings, 0, 0, "")));
    output_.clear();
  }

  // False: the connection has ended.
  bool Say(std::string_view bytes) {
    const bool is_fine = session_->Receive(bytes, now_).ok();
    while (session_->Produce(1 << 20)) {
    }
    return is_fine;
  }

  // The last frame of the type that was sent since Begin: its payload's word at `at`; -1: none.
  int64_t Sent(Type type, uint32_t id, size_t at) const {
    int64_t word = -1;
    for (size_t i = 0; i + kHttp2FrameHeadSize <= output_.size();) {
      const Http2FrameHead head = ReadFrameHead(output_.data() + i);
      i += kHttp2FrameHeadSize;
      if (head.type == type && head.stream_id == id) word = ReadBig32(output_.data() + i + at);
      i += head.size;
    }
    return word;
  }
  int64_t GoAwayError() const { return Sent(Type::kGoAway, 0, 4); }
  int64_t ResetError(uint32_t id) const { return Sent(Type::kRstStream, id, 0); }

  void OnRequest(const Http2Head&) override {
    session_->Accept(streams_.emplace_back(std::make_unique<TestStream>()).get());
  }
  void OnData(Http2Stream* stream, std::string_view bytes) override {
    static_cast<TestStream*>(stream)->body.append(bytes);
  }
  void OnEnd(Http2Stream* stream) override { static_cast<TestStream*>(stream)->is_ended = true; }
  void OnClose(Http2Stream* stream, Http2Error) override {
    static_cast<TestStream*>(stream)->is_closed = true;
  }
  void Write(std::string_view bytes) override { output_.append(bytes); }
  void Write(Slice bytes) override { output_.append(bytes.view()); }

  TimePoint now_;
  std::string output_;
  std::vector<std::unique_ptr<TestStream>> streams_;
  std::unique_ptr<Http2Session> session_;
};

}  // namespace pt::wire
