// The fake driver: streams and events. Work waits in its stream until somebody waits for it.
#include "fake_cuda.h"

namespace fake {

// 0 and 1 stand for the context's default stream, 2 for the thread's own: here the same one.
Stream* Driver::Find(void* stream) {
  if (reinterpret_cast<uintptr_t>(stream) <= 2) {
    return current() == nullptr ? nullptr : &current()->legacy;
  }
  auto* const found = static_cast<Stream*>(stream);
  return streams.count(found) != 0 ? found : nullptr;
}

int Driver::Run(Stream* stream, uint64_t position) {
  while (stream->done < position && !stream->waiting.empty()) {
    const std::function<int()> work = std::move(stream->waiting.front());
    stream->waiting.pop_front();
    ++stream->done;
    const int error = work();
    if (stream->error == kSuccess) stream->error = error;
  }
  return stream->error;
}

int Driver::RunAll() {
  int error = kSuccess;
  for (Context& context : contexts)
    error = Run(&context.legacy) != 0 ? context.legacy.error : error;
  for (Stream* stream : streams) error = Run(stream) != 0 ? stream->error : error;
  return error;
}

}  // namespace fake

using fake::Call;
using fake::Event;
using fake::Get;
using fake::Stream;

FAKE_API cuStreamCreate(void** stream, unsigned int flags) {
  const Call call("cuStreamCreate");
  if (call.error() != 0) return call.error();
  auto* const made = new Stream;
  made->flags = flags;
  Get().streams.insert(made);
  ++Get().counts[fake::kStreams];
  *stream = made;
  return 0;
}

FAKE_API cuStreamCreateWithPriority(void** stream, unsigned int flags, int priority) {
  return cuStreamCreate(stream, flags);
}

FAKE_API cuStreamDestroy_v2(void* stream) {
  const Call call("cuStreamDestroy_v2");
  if (call.error() != 0) return call.error();
  auto* const found = static_cast<Stream*>(stream);
  if (Get().streams.count(found) == 0) return fake::kInvalidHandle;
  Get().Run(found);
  for (Event* event : Get().events) {
    if (event->stream == found) event->stream = nullptr;  // all that it marks has been done
  }
  Get().streams.erase(found);
  delete found;
  --Get().counts[fake::kStreams];
  return 0;
}

FAKE_API cuStreamSynchronize(void* stream) {
  const Call call("cuStreamSynchronize");
  if (call.error() != 0) return call.error();
  Stream* const found = Get().Find(stream);
  return found == nullptr ? fake::kInvalidHandle : Get().Run(found);
}

FAKE_API cuStreamQuery(void* stream) {
  const Call call("cuStreamQuery");
  if (call.error() != 0) return call.error();
  Stream* const found = Get().Find(stream);
  if (found == nullptr) return fake::kInvalidHandle;
  return found->waiting.empty() ? found->error : fake::kNotReady;
}

FAKE_API cuStreamWaitEvent(void* stream, void* event, unsigned int flags) {
  const Call call("cuStreamWaitEvent");
  if (call.error() != 0) return call.error();
  Stream* const found = Get().Find(stream);
  auto* const mark = static_cast<Event*>(event);
  if (found == nullptr || Get().events.count(mark) == 0) return fake::kInvalidHandle;
  Stream* const awaited = mark->stream;
  const uint64_t position = mark->position;
  found->waiting.emplace_back([awaited, position] {
    const bool is_there = awaited != nullptr && Get().streams.count(awaited) != 0;
    return is_there ? Get().Run(awaited, position) : fake::kSuccess;
  });
  ++found->added;
  return 0;
}

FAKE_API cuEventCreate(void** event, unsigned int flags) {
  const Call call("cuEventCreate");
  if (call.error() != 0) return call.error();
  auto* const made = new Event;
  Get().events.insert(made);
  ++Get().counts[fake::kEvents];
  *event = made;
  return 0;
}

FAKE_API cuEventDestroy_v2(void* event) {
  const Call call("cuEventDestroy_v2", Call::Needs::kInit);
  if (call.error() != 0) return call.error();
  auto* const found = static_cast<Event*>(event);
  if (Get().events.erase(found) == 0) return fake::kInvalidHandle;
  delete found;
  --Get().counts[fake::kEvents];
  return 0;
}

FAKE_API cuEventRecord(void* event, void* stream) {
  const Call call("cuEventRecord");
  if (call.error() != 0) return call.error();
  Stream* const found = Get().Find(stream);
  auto* const mark = static_cast<Event*>(event);
  if (found == nullptr || Get().events.count(mark) == 0) return fake::kInvalidHandle;
  *mark = {found, found->added};
  return 0;
}

FAKE_API cuEventSynchronize(void* event) {
  const Call call("cuEventSynchronize", Call::Needs::kInit);
  if (call.error() != 0) return call.error();
  auto* const mark = static_cast<Event*>(event);
  if (Get().events.count(mark) == 0) return fake::kInvalidHandle;
  return mark->stream == nullptr ? 0 : Get().Run(mark->stream, mark->position);
}

FAKE_API cuEventQuery(void* event) {
  const Call call("cuEventQuery", Call::Needs::kInit);
  if (call.error() != 0) return call.error();
  auto* const mark = static_cast<Event*>(event);
  if (Get().events.count(mark) == 0) return fake::kInvalidHandle;
  const bool is_done = mark->stream == nullptr || mark->stream->done >= mark->position;
  return is_done ? 0 : fake::kNotReady;
}
