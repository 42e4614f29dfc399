// GrpcSession: one HTTP/2 connection that carries unary ModelInfer calls, many at a time.
//
// Frames are written and read by hand: a request is a copied template with two stream ids patched
// in, so that the client costs far less than any server it measures.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "load/h2_frame.h"
#include "load/header_block.h"
#include "load/out_queue.h"
#include "load/session.h"

namespace pt::load {

class GrpcSession final : public Session {
 public:
  GrpcSession(Socket socket, SessionShared* shared);

  // Exchanges settings; waits for the server's. Unavailable: it does not speak HTTP/2.
  Status Greet();

  bool CanStart() const override {
    return !is_broken_ && in_flight_ < max_streams_ && !is_draining_;
  }
  void Start(int64_t started_ns) override;
  void Flush() override;
  bool wants_write() const override { return !out_.empty(); }
  void OnReadable() override;

 private:
  struct Stream {
    uint32_t id = 0;  // 0: free
    int http_status = 0;
    int grpc_status = -1;
    bool is_compressed = false;
    int64_t started_ns = 0;
    int64_t window = 0;   // what the server still takes of our message
    size_t sent = 0;      // of our message
    size_t received = 0;  // of the answer: five bytes of prefix, then the message
    char prefix[5] = {};
    AnswerCheck check;
    std::string grpc_message;
  };

  // Sending.
  void UpdateTemplates();
  Stream& NewStream();
  void GrowStreams();
  void SendHeaders(uint32_t id);
  // Queues up to a megabyte of DATA of the messages that wait; whether there was any.
  bool QueueWaitingMessages();
  size_t QueueData(Stream& stream);

  // Receiving.
  size_t OnBytes(std::string_view bytes);  // how many were taken
  bool BeginData(const FrameHead& head, std::string_view rest);
  void OnDataBytes(std::string_view bytes);
  Status OnFrame(const FrameHead& head, std::string_view payload);
  Status OnSettings(std::string_view payload);
  Status OnWindowUpdate(const FrameHead& head, std::string_view payload);
  Status OnHeaders(const FrameHead& head, std::string_view payload);
  Status OnHeaderBlock(uint32_t id, bool is_end, std::string_view block);
  Status OnGoAway(std::string_view payload);
  Stream* FindStream(uint32_t id);
  void AcknowledgeData(size_t size);

  // The answer is complete: judges it.
  void EndStream(Stream& stream);
  // Frees the stream, then tells the owner.
  void End(Stream& stream, Outcome outcome, const std::string* reason);
  void Break(const std::string& reason);

  OutQueue out_;
  std::string carry_;  // the beginning of a frame whose end has not come
  int64_t now_ = 0;
  std::string break_reason_;

  // Streams live in a slot found by their id; a new stream skips ids until its slot is free.
  std::vector<Stream> streams_;
  uint32_t next_id_ = 1;

  // A small request: HEADERS, and DATA with the whole message.
  RequestHeaders headers_;
  std::string small_request_;
  bool has_table_ = true;
  bool has_sent_first_ = false;
  std::deque<uint32_t> sending_;  // streams whose message does not fit the windows yet

  // What the server allows.
  bool has_settings_ = false;
  bool is_draining_ = false;
  int64_t max_streams_ = kMaxWindow;
  int64_t initial_window_ = 65535;
  int64_t window_ = 65535;
  size_t max_frame_ = 16384;

  // The DATA frame being read.
  FrameHead data_;
  size_t data_left_ = 0;  // with padding_
  size_t padding_ = 0;
  int64_t unacknowledged_ = 0;  // bytes of DATA since the last WINDOW_UPDATE

  AnswerHeadersReader reader_;
  std::string block_;  // a header block over several frames
  FrameHead block_head_;
};

}  // namespace pt::load
