// The frames of HTTP/2 (RFC 9113 4 and 6): their heads, codes and numbers.
//
// Thread rule: values and pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace pt::wire {

enum class Http2FrameType : uint8_t {
  kData = 0,
  kHeaders = 1,
  kPriority = 2,
  kRstStream = 3,
  kSettings = 4,
  kPushPromise = 5,
  kPing = 6,
  kGoAway = 7,
  kWindowUpdate = 8,
  kContinuation = 9,
};

// Error codes that we send or look at (RFC 9113 7).
enum class Http2Error : uint32_t {
  kNone = 0,
  kProtocol = 1,
  kInternal = 2,
  kFlowControl = 3,
  kStreamClosed = 5,
  kFrameSize = 6,
  kRefusedStream = 7,
  kCancel = 8,
  kCompression = 9,
  kEnhanceYourCalm = 11,
};

enum class Http2Setting : uint16_t {
  kHeaderTableSize = 1,
  kEnablePush = 2,
  kMaxConcurrentStreams = 3,
  kInitialWindowSize = 4,
  kMaxFrameSize = 5,
  kMaxHeaderListSize = 6,
  kNoPriorities = 9,  // RFC 9218 2.1
};

inline constexpr uint8_t kHttp2EndStream = 0x1;
inline constexpr uint8_t kHttp2Ack = 0x1;  // of SETTINGS and PING
inline constexpr uint8_t kHttp2EndHeaders = 0x4;
inline constexpr uint8_t kHttp2Padded = 0x8;
inline constexpr uint8_t kHttp2Priority = 0x20;

inline constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";  // 3.4
inline constexpr size_t kHttp2FrameHeadSize = 9;
inline constexpr size_t kHttp2SettingSize = 6;
inline constexpr uint32_t kHttp2MaxStreamId = 0x7fffffff;
inline constexpr int64_t kHttp2MaxWindow = 0x7fffffff;       // 6.9.1
inline constexpr uint32_t kHttp2DefaultWindow = 65535;       // 6.5.2
inline constexpr uint32_t kHttp2DefaultMaxFrame = 16384;     // 6.5.2
inline constexpr uint32_t kHttp2LargestMaxFrame = 0xffffff;  // 6.5.2

struct Http2FrameHead {
  uint32_t size = 0;  // of the payload
  Http2FrameType type = Http2FrameType::kData;
  uint8_t flags = 0;
  uint32_t stream_id = 0;

  bool has(uint8_t flag) const { return (flags & flag) != 0; }
};

// What is wrong with what came: how to end the connection, and the words for its log. The reason
// is a literal.
struct [[nodiscard]] Http2Fault {
  Http2Error error = Http2Error::kNone;
  const char* reason = nullptr;

  bool ok() const { return error == Http2Error::kNone; }
  static Http2Fault Protocol(const char* reason) { return {Http2Error::kProtocol, reason}; }
};

// Clients open odd streams, servers even ones (5.1.1).
inline bool IsClientStream(uint32_t id) { return (id & 1) != 0; }

inline uint32_t ReadBig32(const char* at) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(at);
  return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | bytes[3];
}

inline void WriteBig32(char* at, uint32_t value) {
  for (int i = 0; i < 4; ++i) at[i] = static_cast<char>(value >> (24 - 8 * i));
}

// REQUIRES: kHttp2FrameHeadSize bytes at `at`.
inline Http2FrameHead ReadFrameHead(const char* at) {
  const uint32_t first = ReadBig32(at);
  return {first >> 8, static_cast<Http2FrameType>(first & 0xff), static_cast<uint8_t>(at[4]),
          ReadBig32(at + 5) & kHttp2MaxStreamId};
}

// REQUIRES: room for kHttp2FrameHeadSize bytes at `at`.
inline void WriteFrameHead(const Http2FrameHead& head, char* at) {
  WriteBig32(at, head.size << 8 | static_cast<uint8_t>(head.type));
  at[4] = static_cast<char>(head.flags);
  WriteBig32(at + 5, head.stream_id);
}

// Whole frames of the kinds that say one thing, appended to `to`.
void AppendFrame(const Http2FrameHead& head, std::string_view payload, std::string* to);
void AppendRstStream(uint32_t stream_id, Http2Error error, std::string* to);
void AppendWindowUpdate(uint32_t stream_id, uint32_t increment, std::string* to);
void AppendGoAway(uint32_t last_stream_id, Http2Error error, std::string* to);
// One entry of a SETTINGS frame's payload.
void AppendSetting(Http2Setting setting, uint32_t value, std::string* to);

}  // namespace pt::wire
