// The frames of HTTP/2 (RFC 9113 section 4 and 6), as far as a client of one unary call needs them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace pt::load {

enum class FrameType : uint8_t {
  kData = 0,
  kHeaders = 1,
  kResetStream = 3,
  kSettings = 4,
  kPing = 6,
  kGoAway = 7,
  kWindowUpdate = 8,
  kContinuation = 9,
};

inline constexpr uint8_t kFlagEndStream = 0x1;  // also ACK, for SETTINGS and PING
inline constexpr uint8_t kFlagEndHeaders = 0x4;
inline constexpr uint8_t kFlagPadded = 0x8;
inline constexpr uint8_t kFlagPriority = 0x20;

inline constexpr uint16_t kSettingHeaderTableSize = 1;
inline constexpr uint16_t kSettingEnablePush = 2;
inline constexpr uint16_t kSettingMaxConcurrentStreams = 3;
inline constexpr uint16_t kSettingInitialWindowSize = 4;
inline constexpr uint16_t kSettingMaxFrameSize = 5;

inline constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
inline constexpr int64_t kMaxWindow = 0x7fffffff;
inline constexpr size_t kFrameHeadBytes = 9;

struct FrameHead {
  uint32_t size = 0;
  FrameType type = FrameType::kData;
  uint8_t flags = 0;
  uint32_t stream = 0;
};

inline uint32_t ReadBig32(const char* at) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(at);
  return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | bytes[3];
}

inline void WriteBig32(char* at, uint32_t value) {
  for (int i = 0; i < 4; ++i) at[i] = static_cast<char>(value >> (24 - 8 * i));
}

// REQUIRES: kFrameHeadBytes readable at `at`.
inline FrameHead ReadFrameHead(const char* at) {
  FrameHead head;
  uint32_t first = ReadBig32(at);
  head.size = first >> 8;
  head.type = static_cast<FrameType>(first & 0xff);
  head.flags = static_cast<uint8_t>(at[4]);
  head.stream = ReadBig32(at + 5) & 0x7fffffff;
  return head;
}

inline void AppendBig32(std::string& out, uint32_t value) {
  char bytes[4];
  WriteBig32(bytes, value);
  out.append(bytes, sizeof bytes);
}

inline void AppendFrameHead(std::string& out, const FrameHead& head) {
  AppendBig32(out, head.size << 8 | static_cast<uint8_t>(head.type));
  out += static_cast<char>(head.flags);
  AppendBig32(out, head.stream);
}

inline void AppendSetting(std::string& out, uint16_t id, uint32_t value) {
  out += static_cast<char>(id >> 8);
  out += static_cast<char>(id);
  AppendBig32(out, value);
}

}  // namespace pt::load
