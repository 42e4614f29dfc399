// The border between HTTP connections (server/, HTTP/1.1 and HTTP/2 alike) and the REST api.
//
// A connection reads a head, asks Plan what to do with the body, collects the body into one slice
// and calls Handle. The api answers once through the HttpReplySink, at once or later, from any
// thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/call_context.h"
#include "base/block.h"
#include "base/clock.h"
#include "base/ref_counted.h"
#include "infer/response.h"

namespace pt::api {

struct HeaderView {
  std::string_view name;  // any letter case on HTTP/1.1, lower case on HTTP/2
  std::string_view value;
};

// Views are valid during the call they are passed to.
struct HttpRequestHead {
  std::string_view method;  // "GET"
  std::string_view target;  // as sent: path, query; absolute form on HTTP/1.1
  std::vector<HeaderView> headers;
  TimePoint started;  // when its first bytes were there; unset: with the whole request

  // The first header of that name (compared without letter case); empty when there is none.
  std::string_view Find(std::string_view name) const;
  bool Has(std::string_view name) const;
};

// Which listener a call came in by: the metrics port serves other routes.
enum class PortRole { kHttp, kGrpc, kMetrics, kSageMaker, kVertexAi };

struct HttpReply {
  int status = 200;
  std::string_view content_type;         // static text; empty: no such header
  int64_t inference_header_length = -1;  // Inference-Header-Content-Length; -1: no such header
  std::string_view content_encoding;     // static text; empty: none
  std::vector<std::pair<std::string, std::string>> more_headers;
  SliceList body;
};

// The connection's side of one call.
// Thread rule: Send, SendHead, SendChunk and End from any thread, one at a time; the rest on the
// loop.
class HttpReplySink : public RefCounted {
 public:
  // The whole answer. Exactly one of Send and SendHead is called, once.
  virtual void Send(HttpReply&& reply) = 0;
  // An answer in parts (no Content-Length): head, any number of chunks, End.
  virtual void SendHead(HttpReply&& head) = 0;
  virtual void SendChunk(SliceList&& bytes) = 0;
  virtual void End() = 0;
  // Whom to cancel when the client leaves before it was answered. Called during Handle only.
  virtual void CancelWith(RefPtr<Responder> responder) = 0;
};

// What to do with a body, decided from the head alone.
struct BodyPlan {
  int reject_status = 0;  // not 0: answer this (text in reject_message) without reading the body
  std::string reject_message;  // the text of the error
  uint64_t max_size = 0;       // more: 413 with the text of the api (`too_large_message`)
  uint64_t align_offset = 0;   // byte of the body that shall lie on a 64-byte boundary
};

class HttpService {
 public:
  virtual ~HttpService() = default;
  virtual BodyPlan Plan(const HttpRequestHead& head, PortRole port) const = 0;
  // `body` is complete and contiguous. Loop thread. Answers through `sink`, now or later.
  virtual void Handle(const HttpRequestHead& head, Slice body, PortRole port,
                      const CallContext& context, RefPtr<HttpReplySink> sink) = 0;
};

}  // namespace pt::api
