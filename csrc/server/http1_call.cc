#include "server/http1_call.h"

#include <utility>

#include "wire/http1.h"

namespace pt::server {

Http1Call::Http1Call(RefPtr<Connection> connection, Http1CallTraits traits)
    : connection_(std::move(connection)),
      traits_(std::move(traits)),
      gate_(connection_->context().EnterCall()) {}

Http1Call::~Http1Call() { PT_DCHECK(gate_ == nullptr); }

// Applies `change` to the answer: here when this thread drives the loop, else in the outbox.
template <typename Change>
void Http1Call::Deliver(Change change) {
  if (connection_->IsDrivenHere()) {
    // The role may have come to this thread after it posted: keep the order.
    if (is_posted_.load(std::memory_order_acquire)) TakeOutbox();
    if (is_deaf_) return;
    change(&answer_);
    OnAnswer();
    return;
  }
  bool must_post = false;
  {
    MutexLock lock(&mu_);
    change(&outbox_);
    must_post = !is_posted_.exchange(true, std::memory_order_acq_rel);
  }
  if (!must_post) return;
  AddRef();  // the post's
  connection_->Post(this);
}

void Http1Call::Send(api::HttpReply&& reply) {
  Deliver([&reply](Answer* answer) {
    answer->reply = std::move(reply);
    answer->has_ended = true;
  });
}

void Http1Call::SendHead(api::HttpReply&& head) {
  Deliver([&head](Answer* answer) {
    answer->reply = std::move(head);
    answer->is_streamed = true;
  });
}

void Http1Call::SendChunk(SliceList&& bytes) {
  Deliver([&bytes](Answer* answer) { answer->chunks.push_back(std::move(bytes)); });
}

void Http1Call::End() {
  Deliver([](Answer* answer) { answer->has_ended = true; });
}

void Http1Call::RunOnLoop() {
  TakeOutbox();
  OnAnswer();
  DropRef();
}

void Http1Call::TakeOutbox() {
  MutexLock lock(&mu_);
  is_posted_.store(false, std::memory_order_relaxed);
  if (is_deaf_) {
    outbox_ = {};
    return;
  }
  if (outbox_.reply) {
    answer_.reply = std::move(outbox_.reply);
    answer_.is_streamed = outbox_.is_streamed;
  }
  for (SliceList& chunk : outbox_.chunks) answer_.chunks.push_back(std::move(chunk));
  answer_.has_ended = answer_.has_ended || outbox_.has_ended;
  outbox_ = {};
}

void Http1Call::OnAnswer() {
  if (answer_.has_ended) responder_.Reset();
  connection_->MarkDirty();
}

bool Http1Call::WriteTo(net::Stream* stream) {
  if (!is_head_written_) {
    if (!answer_.reply) return false;
    WriteHead(stream);
  }
  WriteChunks(stream);
  if (!answer_.has_ended) return false;
  if (is_chunked_ && !traits_.is_head) stream->Write("0\r\n\r\n");
  if (!traits_.label.empty()) {
    PT_LOG(connection_->services().logger, kVerbose,
           traits_.label + " answered " + std::to_string(status_));
  }
  Finish();
  return true;
}

void Http1Call::WriteHead(net::Stream* stream) {
  api::HttpReply& reply = *answer_.reply;
  is_head_written_ = true;
  status_ = reply.status;
  wire::Http1ResponseHead head;
  head.minor_version = traits_.minor_version;
  head.status = reply.status;
  head.content_type = reply.content_type;
  head.inference_header_length = reply.inference_header_length;
  head.content_encoding = reply.content_encoding;
  if (!reply.more_headers.empty()) head.more_fields = &reply.more_headers;
  head.content_length = TotalSize(reply.body);
  if (answer_.is_streamed) {
    // HTTP/1.0 knows no chunks: there the end of the connection ends the body.
    is_chunked_ = traits_.minor_version >= 1;
    head.framing = is_chunked_ ? wire::Framing::kChunked : wire::Framing::kUntilClose;
    if (!is_chunked_) traits_.keeps_alive = false;
  }
  if (traits_.keeps_alive && traits_.minor_version == 0) {
    head.connection = wire::ConnectionField::kKeepAlive;
  } else if (!traits_.keeps_alive && traits_.minor_version == 1) {
    head.connection = wire::ConnectionField::kClose;
  }
  char* const out = stream->ReserveWrite(wire::MaxHeadSize(head));
  stream->CommitWrite(wire::WriteHead(head, out));
  if (answer_.is_streamed && !reply.body.empty()) {
    answer_.chunks.insert(answer_.chunks.begin(), std::move(reply.body));
  } else if (!traits_.is_head) {
    for (Slice& slice : reply.body) stream->Write(std::move(slice));
  }
  answer_.reply.reset();
}

void Http1Call::WriteChunks(net::Stream* stream) {
  for (SliceList& chunk : answer_.chunks) {
    const size_t size = TotalSize(chunk);
    if (size == 0 || traits_.is_head) continue;  // an empty chunk would end the body
    if (is_chunked_) {
      char* const out = stream->ReserveWrite(wire::kMaxChunkSize);
      stream->CommitWrite(wire::WriteChunkSize(size, out));
    }
    for (Slice& slice : chunk) stream->Write(std::move(slice));
    if (is_chunked_) stream->Write("\r\n");
  }
  answer_.chunks.clear();
}

void Http1Call::Fail(api::HttpReply&& error) {
  if (answer_.has_ended) return;
  is_deaf_ = true;
  if (!is_head_written_) {
    answer_ = {};
    answer_.reply = std::move(error);
  } else {
    // An answer cut short must not look complete: no last chunk.
    is_chunked_ = false;
    answer_.chunks.clear();
  }
  traits_.keeps_alive = false;
  answer_.has_ended = true;
  connection_->MarkDirty();
  const RefPtr<Responder> responder = std::move(responder_);
  if (responder) responder->Cancel();
}

void Http1Call::Abandon() {
  is_deaf_ = true;
  answer_ = {};
  Finish();
  const RefPtr<Responder> responder = std::move(responder_);
  if (responder) responder->Cancel();
}

void Http1Call::Finish() {
  if (gate_ == nullptr) return;
  connection_->services().budget->Return(std::exchange(traits_.claimed_bytes, 0));
  std::exchange(gate_, nullptr)->Leave();
}

}  // namespace pt::server
