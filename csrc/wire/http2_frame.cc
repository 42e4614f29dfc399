#include "wire/http2_frame.h"

namespace pt::wire {
namespace {

void AppendBig32(uint32_t value, std::string* to) {
  char bytes[4];
  WriteBig32(bytes, value);
  to->append(bytes, sizeof(bytes));
}

// The head of a frame without flags.
void AppendHead(Http2FrameType type, uint32_t size, uint32_t stream_id, std::string* to) {
  AppendFrame({size, type, 0, stream_id}, {}, to);
}

}  // namespace

void AppendFrame(const Http2FrameHead& head, std::string_view payload, std::string* to) {
  char bytes[kHttp2FrameHeadSize];
  WriteFrameHead(head, bytes);
  to->append(bytes, sizeof(bytes)).append(payload);
}

void AppendRstStream(uint32_t stream_id, Http2Error error, std::string* to) {
  AppendHead(Http2FrameType::kRstStream, 4, stream_id, to);
  AppendBig32(static_cast<uint32_t>(error), to);
}

void AppendWindowUpdate(uint32_t stream_id, uint32_t increment, std::string* to) {
  AppendHead(Http2FrameType::kWindowUpdate, 4, stream_id, to);
  AppendBig32(increment, to);
}

void AppendGoAway(uint32_t last_stream_id, Http2Error error, std::string* to) {
  AppendHead(Http2FrameType::kGoAway, 8, 0, to);
  AppendBig32(last_stream_id, to);
  AppendBig32(static_cast<uint32_t>(error), to);
}

void AppendSetting(Http2Setting setting, uint32_t value, std::string* to) {
  const auto id = static_cast<uint16_t>(setting);
  to->push_back(static_cast<char>(id >> 8));
  to->push_back(static_cast<char>(id & 0xff));
  AppendBig32(value, to);
}

}  // namespace pt::wire
