// Http2Session: the frames that carry no request (RFC 9113 6.3 to 6.9).
#include <optional>

#include "wire/http2.h"

namespace pt::wire {
namespace {

// The connection's own frames name stream 0, all others a stream.
bool IsOfConnection(Http2FrameType type) {
  return type == Http2FrameType::kSettings || type == Http2FrameType::kPing ||
         type == Http2FrameType::kGoAway;
}

}  // namespace

Http2Fault Http2Session::OnControl(const Http2FrameHead& frame, std::string_view payload) {
  if (IsOfConnection(frame.type) != (frame.stream_id == 0) &&
      frame.type != Http2FrameType::kWindowUpdate) {
    return Http2Fault::Protocol("a control frame for the wrong stream");
  }
  switch (frame.type) {
    case Http2FrameType::kSettings:
      return OnSettings(frame, payload);
    case Http2FrameType::kRstStream:
      return OnRstStream(frame.stream_id, static_cast<Http2Error>(ReadBig32(payload.data())));
    case Http2FrameType::kWindowUpdate:
      return OnWindowUpdate(frame.stream_id, ReadBig32(payload.data()) & kHttp2MaxStreamId);
    case Http2FrameType::kPing:
      if (!frame.has(kHttp2Ack)) {
        AppendFrame({8, Http2FrameType::kPing, kHttp2Ack, 0}, payload, &sender_.control());
      }
      return {};
    case Http2FrameType::kGoAway:
      has_goodbye_ = true;
      return {};
    default:
      return {};  // priorities as trees of streams (RFC 7540) would cost, and nobody uses them
  }
}

Http2Fault Http2Session::OnSettings(const Http2FrameHead& frame, std::string_view payload) {
  if (frame.has(kHttp2Ack)) return {};
  std::optional<uint32_t> window;
  for (size_t at = 0; at + kHttp2SettingSize <= payload.size(); at += kHttp2SettingSize) {
    const uint32_t high = ReadBig32(payload.data() + at);
    const uint32_t low = ReadBig32(payload.data() + at + 2);
    const auto setting = static_cast<uint16_t>(high >> 16);
    if (const Http2Fault fault = OnSetting(setting, low); !fault.ok()) return fault;
    if (static_cast<Http2Setting>(setting) == Http2Setting::kInitialWindowSize) window = low;
  }
  // Once a frame, however often it was said: it costs a look at every open stream.
  if (window) {
    if (const Http2Fault fault = ChangeInitialWindow(*window); !fault.ok()) return fault;
  }
  AppendFrame({0, Http2FrameType::kSettings, kHttp2Ack, 0}, {}, &sender_.control());
  return {};
}

// 6.5.2.
Http2Fault Http2Session::OnSetting(uint16_t setting, uint32_t value) {
  switch (static_cast<Http2Setting>(setting)) {
    case Http2Setting::kHeaderTableSize:
      sender_.SetTableLimit(value);
      return {};
    case Http2Setting::kEnablePush:
      return value <= 1 ? Http2Fault()
                        : Http2Fault::Protocol("SETTINGS_ENABLE_PUSH that is neither 0 nor 1");
    case Http2Setting::kInitialWindowSize:
      if (value <= kHttp2MaxWindow) return {};  // OnSettings applies it
      return {Http2Error::kFlowControl, "SETTINGS_INITIAL_WINDOW_SIZE over 2^31-1"};
    case Http2Setting::kMaxFrameSize:
      if (value < kHttp2DefaultMaxFrame || value > kHttp2LargestMaxFrame) {
        return Http2Fault::Protocol("SETTINGS_MAX_FRAME_SIZE out of its range");
      }
      sender_.SetMaxFrame(value);
      return {};
    default:
      return {};
  }
}

// The windows of open streams change with it (6.9.2), even below zero.
Http2Fault Http2Session::ChangeInitialWindow(uint32_t window) {
  const int64_t change = int64_t{window} - int64_t{sender_.initial_window()};
  sender_.set_initial_window(window);
  for (Http2Stream* stream = streams_.first(); stream != nullptr; stream = stream->next_) {
    stream->send_window_ += change;
    if (stream->send_window_ > kHttp2MaxWindow) {
      return {Http2Error::kFlowControl, "a stream's window over 2^31-1"};
    }
    sender_.Ready(stream);
  }
  return {};
}

Http2Fault Http2Session::OnRstStream(uint32_t id, Http2Error error) {
  if (!WasOpened(id)) return Http2Fault::Protocol("RST_STREAM for a stream that was never opened");
  if (const Http2Fault fault = CountReset(); !fault.ok()) return fault;
  if (Http2Stream* const stream = streams_.Find(id)) Close(stream, error);
  return {};
}

Http2Fault Http2Session::OnWindowUpdate(uint32_t id, uint32_t increment) {
  if (id == 0) {
    return increment != 0 ? sender_.Widen(increment)
                          : Http2Fault::Protocol("WINDOW_UPDATE by nothing");
  }
  if (!WasOpened(id)) {
    return Http2Fault::Protocol("WINDOW_UPDATE for a stream that was never opened");
  }
  Http2Stream* const stream = streams_.Find(id);
  if (stream == nullptr) return {};  // closed meanwhile
  if (increment == 0) return ResetForFault(stream, Http2Error::kProtocol);
  stream->send_window_ += increment;
  if (stream->send_window_ > kHttp2MaxWindow) {
    return ResetForFault(stream, Http2Error::kFlowControl);
  }
  sender_.Ready(stream);
  return {};
}

}  // namespace pt::wire
