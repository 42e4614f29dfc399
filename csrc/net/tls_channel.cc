#include "net/tls_channel.h"

#include <utility>

namespace pt::net {
namespace {

// Records of a byte each cost as much as full ones: others get their turn after this many.
constexpr int kMaxRecords = 64;

}  // namespace

TlsChannel::TlsChannel(std::unique_ptr<TlsSession> session, TlsTurns* turns, TlsHandshake* stream)
    : session_(std::move(session)), turns_(turns), place_(turns->Enter(stream)) {}

void TlsChannel::LeaveTurns() {
  if (place_) turns_->Leave(*place_);
  place_.reset();
}

TlsState TlsChannel::Shake() {
  const TlsState state = session_->Handshake();
  reads_when_writable_ = state == TlsState::kWantsWrite;
  if (state == TlsState::kDone) {
    is_established_ = true;
    // What the client sent behind its last word has been received with it.
    has_more_ = session_->has_pending();
    LeaveTurns();
  }
  return state;
}

ReadResult TlsChannel::Read(char* data, size_t size) {
  size_t count = 0;
  TlsState state = TlsState::kDone;
  for (int i = 0; i < kMaxRecords && count < size && state == TlsState::kDone; ++i) {
    const TlsResult result = session_->Read(data + count, size - count);
    state = result.state;
    count += result.count;
  }
  reads_when_writable_ = state == TlsState::kWantsWrite;
  // The end is told by the next read, if there was something before it.
  const bool is_over = state == TlsState::kClosed || state == TlsState::kFailed;
  has_more_ = is_over ? count > 0 : state == TlsState::kDone && session_->has_pending();
  if (count > 0) return {ReadState::kData, count};
  if (!is_over) return {ReadState::kWouldBlock, 0};
  return {state == TlsState::kClosed ? ReadState::kEof : ReadState::kBroken, 0};
}

TlsResult TlsChannel::Write(std::string_view bytes, TlsMore more) {
  const TlsResult result = session_->Write(bytes, more);
  writes_when_readable_ = result.state == TlsState::kWantsRead;
  return result;
}

}  // namespace pt::net
