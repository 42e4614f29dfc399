#include "server/http2_call.h"

#include <utility>

#include "server/http2_connection.h"
#include "server/protocol.h"

namespace pt::server {

Http2Call::Http2Call(Http2Protocol* protocol)
    : connection_(protocol->connection()), protocol_(protocol) {
  Touch();
}

Http2Call::~Http2Call() { PT_DCHECK(gate_ == nullptr && claimed_ == 0); }

wire::Http2Session& Http2Call::session() const { return protocol_->session(); }

void Http2Call::EnterGate() {
  if (gate_ == nullptr) gate_ = connection_->context().EnterCall();
}

void Http2Call::KeepClaim(uint64_t bytes) {
  services().budget->Return(std::exchange(claimed_, bytes));
}

void Http2Call::Disconnect() {
  protocol_ = nullptr;
  KeepClaim(0);
  if (gate_ != nullptr) std::exchange(gate_, nullptr)->Leave();
}

bool Http2Call::ResetIfStalled(TimePoint now, Duration idle_limit) {
  if (unsent() == 0 || unsent() != unsent_before_) {
    unsent_before_ = unsent();
    sent_at_ = now;
    return false;
  }
  // A connection that takes nothing at all is the connection's matter.
  if (connection_->stream().queued() > 0 || now - sent_at_ <= idle_limit) return false;
  session().Reset(this, wire::Http2Error::kCancel);
  connection_->MarkDirty();
  return true;
}

bool Http2Call::ResetIfUnread() {
  if (unsent() <= kMaxUnread) return false;
  session().Reset(this, wire::Http2Error::kEnhanceYourCalm);
  connection_->MarkDirty();
  return true;
}

}  // namespace pt::server
