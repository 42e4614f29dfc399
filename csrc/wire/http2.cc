#include "wire/http2.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "wire/http2_memory.h"

namespace pt::wire {
namespace {

// A useful frame allows for so many idle ones (a gRPC client sends up to three a call:
// WINDOW_UPDATE twice, PING).
constexpr int64_t kEarnedPerFrame = 4;
// Larger DATA frames save nothing, but keep the other streams waiting.
constexpr size_t kMaxDataFrame = 256 << 10;
// Fields of an answer that need no allocation.
constexpr size_t kFieldsInline = 16;

std::string_view View(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

uint8_t* Bytes(std::string_view text) {
  return const_cast<uint8_t*>(reinterpret_cast<const uint8_t*>(text.data()));  // nghttp2 only reads
}

// The fields as nghttp2 wants them. Valid as long as the fields' bytes.
class FieldArray {
 public:
  FieldArray(std::span<const Http2Field> fields, FieldBytes bytes) : size_(fields.size()) {
    if (size_ > kFieldsInline) more_.resize(size_);
    const uint8_t flags = bytes == FieldBytes::kStatic
                              ? NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE
                              : NGHTTP2_NV_FLAG_NONE;
    nghttp2_nv* const out = data();
    for (size_t i = 0; i < size_; ++i) {
      out[i] = {Bytes(fields[i].name), Bytes(fields[i].value), fields[i].name.size(),
                fields[i].value.size(), flags};
    }
  }
  nghttp2_nv* data() { return size_ > kFieldsInline ? more_.data() : inline_.data(); }
  size_t size() const { return size_; }

 private:
  const size_t size_;
  std::array<nghttp2_nv, kFieldsInline> inline_;  // the first size_ are set
  std::vector<nghttp2_nv> more_;
};

struct OptionDeleter {
  void operator()(nghttp2_option* option) const { nghttp2_option_del(option); }
};
struct CallbacksDeleter {
  void operator()(nghttp2_session_callbacks* callbacks) const {
    nghttp2_session_callbacks_del(callbacks);
  }
};

}  // namespace

// Each gets the session as user data; none lets an exception pass (nothing called here throws).
struct Http2Session::Callbacks {
  static Http2Session& Self(void* user) { return *static_cast<Http2Session*>(user); }
  // Most calls are for the stream of the call before.
  static Http2Stream* StreamOf(nghttp2_session* session, int32_t id, void* user) {
    Http2Stream*& latest = Self(user).latest_;
    if (latest != nullptr && latest->id_ == id) return latest;
    auto* const stream =
        static_cast<Http2Stream*>(nghttp2_session_get_stream_user_data(session, id));
    if (stream != nullptr) latest = stream;
    return stream;
  }

  static int OnBeginFrame(nghttp2_session*, const nghttp2_frame_hd* head, void* user) {
    const bool is_useful = head->type == NGHTTP2_HEADERS ||
                           (head->type == NGHTTP2_DATA &&
                            (head->length > 0 || (head->flags & NGHTTP2_FLAG_END_STREAM) != 0));
    return Self(user).CountFrame(is_useful) ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
  }

  static int OnBeginHeaders(nghttp2_session*, const nghttp2_frame*, void* user) {
    Self(user).head_.Begin();
    return 0;
  }

  // NOLINTBEGIN(readability-function-size): nghttp2 says what its callbacks take
  static int OnHeader(nghttp2_session*, const nghttp2_frame*, const uint8_t* name, size_t name_size,
                      const uint8_t* value, size_t value_size, uint8_t, void* user) {
    if (Self(user).head_.Add(View(name, name_size), View(value, value_size))) return 0;
    Self(user).end_reason_ = "a head far over the limit";
    return NGHTTP2_ERR_CALLBACK_FAILURE;
  }

  static int OnFrameReceived(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return 0;
    const bool is_end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
      Self(user).OpenRequest(frame->hd.stream_id, !is_end);
    } else if (is_end) {
      if (Http2Stream* const stream = StreamOf(session, frame->hd.stream_id, user)) {
        Self(user).Ended(stream);
      }
    }
    return 0;
  }

  static int OnDataChunk(nghttp2_session* session, uint8_t flags, int32_t id, const uint8_t* data,
                         size_t size, void* user) {
    Http2Stream* const stream = StreamOf(session, id, user);
    if (stream != nullptr) Self(user).events_->OnData(stream, View(data, size));
    Self(user).consumed_ += size;
    // A stream that ends with this frame needs no credit.
    if (stream != nullptr && (flags & NGHTTP2_FLAG_END_STREAM) == 0) {
      Self(user).Consumed(stream, size);
    }
    return 0;
  }

  static int OnStreamClose(nghttp2_session* session, int32_t id, uint32_t error, void* user) {
    Http2Stream* const stream = StreamOf(session, id, user);
    if (stream == nullptr) return 0;
    Self(user).Detach(stream);
    Self(user).events_->OnClose(stream, static_cast<Http2Error>(error));
    return 0;
  }

  // An answer that ended before its request did: the client need not send the rest (RFC 9113 8.1).
  static int OnFrameSent(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    const bool can_end = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (!can_end || (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
    Http2Stream* const stream = StreamOf(session, frame->hd.stream_id, user);
    if (stream != nullptr && !stream->is_request_complete_) {
      nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, stream->id_, NGHTTP2_NO_ERROR);
    }
    return 0;
  }

  static ssize_t ReadLength(nghttp2_session*, uint8_t, int32_t, int32_t, int32_t,
                            uint32_t remote_max_frame, void*) {
    return static_cast<ssize_t>(std::min<size_t>(remote_max_frame, kMaxDataFrame));
  }

  // How much of the body goes into the next DATA frame; the bytes themselves go by SendData.
  static ssize_t ReadBody(nghttp2_session* session, int32_t id, uint8_t*, size_t room,
                          uint32_t* flags, nghttp2_data_source* source, void*) {
    Http2Stream* const stream = static_cast<Http2Stream*>(source->ptr);
    const size_t count = std::min(room, stream->unsent_);
    const bool is_last = stream->is_ended_ && count == stream->unsent_;
    if (count == 0 && !is_last) {
      stream->is_deferred_ = true;
      return NGHTTP2_ERR_DEFERRED;
    }
    if (count != 0) *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (!is_last) return static_cast<ssize_t>(count);
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (!stream->trailers_.empty()) {
      *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      FieldArray fields(stream->trailers_,
                        stream->are_trailers_static_ ? FieldBytes::kStatic : FieldBytes::kCopied);
      nghttp2_submit_trailer(session, id, fields.data(), fields.size());
    }
    return static_cast<ssize_t>(count);
  }

  static int SendData(nghttp2_session*, nghttp2_frame*, const uint8_t* frame_head, size_t count,
                      nghttp2_data_source* source, void* user) {
    Http2Session& self = Self(user);
    if (self.produced_ >= self.budget_) return NGHTTP2_ERR_WOULDBLOCK;
    self.output_->Write(View(frame_head, 9));
    Http2Stream* const stream = static_cast<Http2Stream*>(source->ptr);
    stream->WriteBody(count, self.output_);
    self.ReturnCredit(stream);
    self.produced_ += 9 + count;
    return 0;
  }
  // NOLINTEND(readability-function-size)

  static void Install(nghttp2_session_callbacks* to) {
    nghttp2_session_callbacks_set_on_begin_frame_callback(to, OnBeginFrame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(to, OnBeginHeaders);
    nghttp2_session_callbacks_set_on_header_callback(to, OnHeader);
    nghttp2_session_callbacks_set_on_frame_recv_callback(to, OnFrameReceived);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(to, OnDataChunk);
    nghttp2_session_callbacks_set_on_stream_close_callback(to, OnStreamClose);
    nghttp2_session_callbacks_set_on_frame_send_callback(to, OnFrameSent);
    nghttp2_session_callbacks_set_data_source_read_length_callback(to, ReadLength);
    nghttp2_session_callbacks_set_send_data_callback(to, SendData);
  }
};

Result<std::unique_ptr<Http2Session>> Http2Session::Create(const Http2Limits& limits,
                                                           Http2Events* events,
                                                           Http2Output* output) {
  std::unique_ptr<Http2Session> session(new Http2Session(limits, events, output));
  PT_RETURN_IF_ERROR(session->Open());
  return session;
}

Http2Session::Http2Session(const Http2Limits& limits, Http2Events* events, Http2Output* output)
    : limits_(limits), events_(events), output_(output), head_(limits.max_header_bytes) {}

Status Http2Session::Open() {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_option* option = nullptr;
  if (nghttp2_session_callbacks_new(&callbacks) != 0) return Unavailable("no memory for HTTP/2");
  std::unique_ptr<nghttp2_session_callbacks, CallbacksDeleter> callbacks_owner(callbacks);
  if (nghttp2_option_new(&option) != 0) return Unavailable("no memory for HTTP/2");
  std::unique_ptr<nghttp2_option, OptionDeleter> option_owner(option);

  Callbacks::Install(callbacks);
  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_option_set_no_closed_streams(option, 1);
  nghttp2_option_set_stream_reset_rate_limit(option, limits_.reset_burst,
                                             limits_.resets_per_second);
  if (NewServerSession(&session_, callbacks, this, option) != 0) {
    return Unavailable("no memory for HTTP/2");
  }
  // Priorities as trees of streams (RFC 7540) would cost with every frame; nobody uses them.
  const std::array<nghttp2_settings_entry, 5> settings{{
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits_.max_streams},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits_.stream_window},
      {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, limits_.max_frame},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<uint32_t>(limits_.max_header_bytes)},
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
  }};
  const int settings_error =
      nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  const int window_error = nghttp2_session_set_local_window_size(
      session_, NGHTTP2_FLAG_NONE, 0, static_cast<int32_t>(limits_.connection_window));
  if (settings_error != 0 || window_error != 0) {
    return InvalidArgument("expected valid HTTP/2 limits, got ones that libnghttp2 refuses");
  }
  return {};
}

Http2Session::~Http2Session() {
  while (streams_ != nullptr) {
    Http2Stream* const stream = streams_;
    Detach(stream);
    events_->OnClose(stream, Http2Error::kCancel);
  }
  nghttp2_session_del(session_);
}

Status Http2Session::Receive(std::string_view bytes) {
  const ssize_t taken = nghttp2_session_mem_recv(session_, Bytes(bytes), bytes.size());
  // The connection's credit, once for all that came.
  if (consumed_ != 0) nghttp2_session_consume_connection(session_, std::exchange(consumed_, 0));
  return taken < 0 ? EndOf(taken) : Status();
}

Status Http2Session::EndOf(ptrdiff_t error) {
  const bool is_flood = end_reason_ != nullptr || error == NGHTTP2_ERR_FLOODED;
  const char* const reason =
      end_reason_ != nullptr ? end_reason_ : nghttp2_strerror(static_cast<int>(error));
  nghttp2_session_terminate_session(session_,
                                    is_flood ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_PROTOCOL_ERROR);
  return InvalidArgument(std::string("expected HTTP/2 within the limits, got: ") + reason);
}

bool Http2Session::Produce(size_t budget) {
  produced_ = 0;
  budget_ = budget;
  while (produced_ < budget) {
    const uint8_t* data = nullptr;
    const ssize_t count = nghttp2_session_mem_send(session_, &data);
    if (count <= 0) break;
    output_->Write(View(data, static_cast<size_t>(count)));
    produced_ += static_cast<size_t>(count);
  }
  return produced_ >= budget && wants_write();
}

bool Http2Session::wants_write() const { return nghttp2_session_want_write(session_) != 0; }

bool Http2Session::is_finished() const {
  return nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0;
}

bool Http2Session::CountFrame(bool is_useful) {
  if (is_useful) {
    idle_frames_ = std::max<int64_t>(idle_frames_ - kEarnedPerFrame, 0);
  } else if (++idle_frames_ > limits_.idle_frames) {
    end_reason_ = "too many frames that carry neither requests nor data";
    return false;
  }
  return true;
}

void Http2Session::OpenRequest(int32_t id, bool has_body) {
  const Http2Head head = head_.Finish(has_body);
  opening_ = id;
  opening_has_body_ = has_body;
  events_->OnRequest(head);
  if (opening_ != 0) {
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
  }
  opening_ = 0;
}

void Http2Session::Accept(Http2Stream* stream) {
  PT_DCHECK(opening_ != 0);
  stream->id_ = std::exchange(opening_, 0);
  stream->is_request_complete_ = !opening_has_body_;
  nghttp2_session_set_stream_user_data(session_, stream->id_, stream);
  latest_ = stream;
  stream->next_ = streams_;
  if (streams_ != nullptr) streams_->previous_ = stream;
  streams_ = stream;
  ++open_streams_;
}

void Http2Session::Detach(Http2Stream* stream) {
  (stream->previous_ != nullptr ? stream->previous_->next_ : streams_) = stream->next_;
  if (stream->next_ != nullptr) stream->next_->previous_ = stream->previous_;
  stream->previous_ = stream->next_ = nullptr;
  if (latest_ == stream) latest_ = nullptr;
  --open_streams_;
}

void Http2Session::Ended(Http2Stream* stream) {
  stream->is_request_complete_ = true;
  events_->OnEnd(stream);
}

void Http2Session::SendHead(Http2Stream* stream, std::span<const Http2Field> fields,
                            FieldBytes bytes, BodyFollows follows) {
  FieldArray array(fields, bytes);
  nghttp2_data_provider provider;
  provider.source.ptr = stream;
  provider.read_callback = Callbacks::ReadBody;
  if (follows == BodyFollows::kNo) stream->is_ended_ = true;
  nghttp2_submit_response(session_, stream->id_, array.data(), array.size(),
                          follows == BodyFollows::kYes ? &provider : nullptr);
}

void Http2Session::SendInterimHead(Http2Stream* stream, std::span<const Http2Field> fields) {
  FieldArray array(fields, FieldBytes::kCopied);
  nghttp2_submit_headers(session_, NGHTTP2_FLAG_NONE, stream->id_, nullptr, array.data(),
                         array.size(), nullptr);
}

void Http2Session::Queue(Http2Stream* stream, std::string_view lead, Slice bytes) {
  PT_DCHECK(!stream->is_ended_);
  stream->AppendBody(lead, std::move(bytes));
  if (stream->unsent() != 0) Resume(stream);
}

void Http2Session::End(Http2Stream* stream) {
  stream->is_ended_ = true;
  Resume(stream);
}

void Http2Session::EndWithTrailers(Http2Stream* stream, std::span<const Http2Field> fields,
                                   FieldBytes bytes) {
  stream->trailers_ = fields;
  stream->are_trailers_static_ = bytes == FieldBytes::kStatic;
  End(stream);
}

void Http2Session::Resume(Http2Stream* stream) {
  if (!stream->is_deferred_) return;
  stream->is_deferred_ = false;
  nghttp2_session_resume_data(session_, stream->id_);
}

void Http2Session::Reset(Http2Stream* stream, Http2Error error) {
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream->id_, static_cast<uint32_t>(error));
}

// Gives the client credit for what it sent, unless it leaves too much of its answer unread.
void Http2Session::Consumed(Http2Stream* stream, size_t size) {
  if (stream->unsent_ <= limits_.max_unsent) {
    nghttp2_session_consume_stream(session_, stream->id_, size);
  } else {
    stream->withheld_ += size;
  }
}

void Http2Session::ReturnCredit(Http2Stream* stream) {
  if (stream->withheld_ == 0 || stream->unsent_ > limits_.max_unsent / 2) return;
  nghttp2_session_consume_stream(session_, stream->id_, std::exchange(stream->withheld_, 0));
}

void Http2Session::AnnounceGoAway() { nghttp2_submit_shutdown_notice(session_); }

void Http2Session::GoAway(Http2Error error) {
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(session_),
                        static_cast<uint32_t>(error), nullptr, 0);
}

}  // namespace pt::wire
