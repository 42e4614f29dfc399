// Http2Peer: a client for tests, over libnghttp2's client session: requests in, bytes out, and what
// the server answered, by stream.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pt {

class Http2Peer {
 public:
  using Fields = std::vector<std::pair<std::string, std::string>>;
  struct Answer {
    Fields head;
    Fields trailers;
    std::string body;
    int data_frames = 0;
    bool is_ended = false;
    bool is_closed = false;
    uint32_t error = 0;

    std::string Find(std::string_view name) const {
      for (const auto& [key, value] : head) {
        if (key == name) return value;
      }
      return "";
    }
    std::string FindTrailer(std::string_view name) const {
      for (const auto& [key, value] : trailers) {
        if (key == name) return value;
      }
      return "";
    }
  };

  Http2Peer() {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, OnHeader);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, OnFrame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, OnData);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, OnClose);
    nghttp2_session_client_new(&session_, callbacks, this);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, nullptr, 0);
  }
  ~Http2Peer() { nghttp2_session_del(session_); }
  Http2Peer(const Http2Peer&) = delete;
  Http2Peer& operator=(const Http2Peer&) = delete;

  nghttp2_session* session() { return session_; }
  Answer& answer(int32_t id) { return answers_[id]; }
  bool got_goaway() const { return got_goaway_; }
  uint32_t goaway_error() const { return goaway_error_; }

  // Opens a request whose body comes by Send; `End` ends it.
  int32_t Open(const Fields& fields) {
    std::vector<nghttp2_nv> nv = ToNv(fields);
    nghttp2_data_provider provider;
    provider.source.ptr = this;
    provider.read_callback = ReadBody;
    return nghttp2_submit_request(session_, nullptr, nv.data(), nv.size(), &provider, nullptr);
  }
  // A request without a body.
  int32_t Get(const Fields& fields) {
    std::vector<nghttp2_nv> nv = ToNv(fields);
    return nghttp2_submit_request(session_, nullptr, nv.data(), nv.size(), nullptr, nullptr);
  }
  void Send(int32_t id, std::string_view bytes) {
    bodies_[id].bytes.append(bytes);
    nghttp2_session_resume_data(session_, id);
  }
  void End(int32_t id) {
    bodies_[id].is_ended = true;
    nghttp2_session_resume_data(session_, id);
  }
  void Reset(int32_t id, uint32_t error = NGHTTP2_CANCEL) {
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, error);
  }

  // What the client wants to send now.
  std::string Output() {
    std::string out;
    for (;;) {
      const uint8_t* data = nullptr;
      const ssize_t count = nghttp2_session_mem_send(session_, &data);
      if (count <= 0) return out;
      out.append(reinterpret_cast<const char*>(data), static_cast<size_t>(count));
    }
  }
  // False: the server broke the protocol.
  bool Input(std::string_view bytes) {
    return nghttp2_session_mem_recv(session_, reinterpret_cast<const uint8_t*>(bytes.data()),
                                    bytes.size()) == static_cast<ssize_t>(bytes.size());
  }

  static Fields Request(std::string method, std::string path, const Fields& more = {}) {
    Fields fields{{":method", std::move(method)},
                  {":scheme", "http"},
                  {":path", std::move(path)},
                  {":authority", "localhost"}};
    fields.insert(fields.end(), more.begin(), more.end());
    return fields;
  }
  static Fields Grpc(std::string path, const Fields& more = {}) {
    Fields fields = Request("POST", std::move(path),
                            {{"te", "trailers"}, {"content-type", "application/grpc"}});
    fields.insert(fields.end(), more.begin(), more.end());
    return fields;
  }

 private:
  struct Body {
    std::string bytes;
    bool is_ended = false;
  };

  static std::vector<nghttp2_nv> ToNv(const Fields& fields) {
    std::vector<nghttp2_nv> nv;
    for (const auto& [name, value] : fields) {
      nv.push_back({reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())),
                    reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())), name.size(),
                    value.size(), NGHTTP2_NV_FLAG_NONE});
    }
    return nv;
  }
  static Http2Peer& Self(void* user) { return *static_cast<Http2Peer*>(user); }

  static ssize_t ReadBody(nghttp2_session*, int32_t id, uint8_t* buffer, size_t room,
                          uint32_t* flags, nghttp2_data_source* source, void*) {
    Body& body = static_cast<Http2Peer*>(source->ptr)->bodies_[id];
    const size_t count = std::min(room, body.bytes.size());
    std::memcpy(buffer, body.bytes.data(), count);
    body.bytes.erase(0, count);
    if (body.bytes.empty() && body.is_ended) *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (count == 0 && !body.is_ended) return NGHTTP2_ERR_DEFERRED;
    return static_cast<ssize_t>(count);
  }
  static int OnHeader(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name,
                      size_t name_size, const uint8_t* value, size_t value_size, uint8_t,
                      void* user) {
    Answer& answer = Self(user).answers_[frame->hd.stream_id];
    Fields& fields = answer.head.empty() || frame->headers.cat == NGHTTP2_HCAT_RESPONSE
                         ? answer.head
                         : answer.trailers;
    fields.emplace_back(std::string(reinterpret_cast<const char*>(name), name_size),
                        std::string(reinterpret_cast<const char*>(value), value_size));
    return 0;
  }
  static int OnFrame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type == NGHTTP2_GOAWAY) {
      Self(user).got_goaway_ = true;
      Self(user).goaway_error_ = frame->goaway.error_code;
    }
    if (frame->hd.type == NGHTTP2_DATA) ++Self(user).answers_[frame->hd.stream_id].data_frames;
    if ((frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) &&
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
      Self(user).answers_[frame->hd.stream_id].is_ended = true;
    }
    return 0;
  }
  static int OnData(nghttp2_session*, uint8_t, int32_t id, const uint8_t* data, size_t size,
                    void* user) {
    Self(user).answers_[id].body.append(reinterpret_cast<const char*>(data), size);
    return 0;
  }
  static int OnClose(nghttp2_session*, int32_t id, uint32_t error, void* user) {
    Self(user).answers_[id].is_closed = true;
    Self(user).answers_[id].error = error;
    return 0;
  }

  nghttp2_session* session_ = nullptr;
  std::map<int32_t, Answer> answers_;
  std::map<int32_t, Body> bodies_;
  bool got_goaway_ = false;
  uint32_t goaway_error_ = 0;
};

}  // namespace pt
