#include "backend/worker_asks.h"

#include <sys/socket.h>

#include <chrono>
#include <utility>
#include <vector>

namespace pt::backend {
namespace {

constexpr uint32_t kNoBuckets = 0xFFFFFFFFu;
// A worker that doesn't read its answers: what waits for it at most, in bytes.
constexpr size_t kMostUnsent = size_t{256} << 20;
constexpr Duration kFlushPause = std::chrono::milliseconds(1);

// TritonError's numbers (spec/python-backend 1.5).
uint8_t NumberOf(Code code) {
  switch (code) {
    case Code::kUnknown:
      return 0;
    case Code::kNotFound:
      return 2;
    case Code::kInvalidArgument:
      return 3;
    case Code::kUnavailable:
      return 4;
    case Code::kUnsupported:
      return 5;
    case Code::kAlreadyExists:
      return 6;
    case Code::kCancelled:
      return 7;
    default:
      return 1;
  }
}

// What comes before the tensors. The texts are the model's.
InnerRequest ReadHead(MessageReader* in, std::string caller) {
  InnerRequest request;
  request.caller = std::move(caller);
  request.model_name = in->Text();
  request.version = in->Text();
  request.id = in->Text();
  const bool is_text = in->Get<uint8_t>() != 0;
  request.correlation_id = in->Get<uint64_t>();
  const std::string_view correlation = in->Text();
  if (is_text) request.correlation_id = std::string(correlation);
  request.sequence_flags = in->Get<uint32_t>();
  request.timeout_us = in->Get<uint64_t>();
  request.takes_many = in->Get<uint8_t>() != 0;
  request.parameters = in->GetParameters(in->Get<uint32_t>());
  const auto outputs = in->Get<uint32_t>();
  for (uint32_t i = 0; i < outputs && in->ok(); ++i) {
    request.requested_outputs.emplace_back(in->Text());
  }
  return request;
}

}  // namespace

WorkerAsks::WorkerAsks(WorkerServices* services, WorkerMonitor* monitor,
                       std::shared_ptr<WorkerLoans> loans, std::string instance_name)
    : services_(services),
      monitor_(monitor),
      loans_(std::move(loans)),
      instance_name_(std::move(instance_name)) {}

void WorkerAsks::Open(int socket) {
  const uint64_t worker = services_ == nullptr ? 0 : services_->OpenWorker(instance_name_);
  MutexLock lock(&mu_);
  worker_ = worker;
  socket_ = socket;
}

void WorkerAsks::Close() {
  uint64_t worker = 0;
  std::unordered_map<uint64_t, RefPtr<Responder>> inner;
  {
    MutexLock lock(&mu_);
    if (socket_ < 0) return;
    socket_ = -1;
    worker = worker_;
    inner.swap(inner_);
    unsent_.clear();
    sent_ = 0;
  }
  for (auto& [number, responder] : inner) responder->Cancel();
  if (services_ != nullptr) services_->CloseWorker(worker);
}

bool WorkerAsks::OnCall(std::string_view message) {
  MessageReader in(message);
  const auto number = in.Get<uint64_t>();
  const std::string kind(in.Text());
  const std::string_view json = in.Text();
  CallFiles files;
  const auto count = in.Get<uint32_t>();
  for (uint32_t i = 0; i < count && in.ok(); ++i) {
    std::string name(in.Text());
    files.emplace_back(std::move(name), std::string(in.Text()));
  }
  if (!in.ok()) return false;
  if (services_ == nullptr) {
    Reply(number, Unsupported("this server takes no calls of models"));
    return true;
  }
  uint64_t worker = 0;
  {
    MutexLock lock(&mu_);
    worker = worker_;
  }
  services_->Call(worker, kind, json, std::move(files),
                  [self = shared_from_this(), number](const Result<std::string>& answer) {
                    self->Reply(number, answer);
                  });
  return true;
}

bool WorkerAsks::OnSubmit(std::string_view message, Resolve resolve) {
  MessageReader in(message);
  const auto number = in.Get<uint64_t>();
  InnerRequest request = ReadHead(&in, instance_name_);
  const auto inputs = in.Get<uint32_t>();
  for (uint32_t i = 0; i < inputs && in.ok(); ++i) {
    std::string name(in.Text());
    const std::optional<TensorRecord> record = GetTensor(&in);
    bool is_sound = record.has_value();
    if (!is_sound) return false;
    TensorView tensor{record->type, record->shape, resolve(*record, &is_sound)};
    if (!is_sound) return false;
    request.inputs.push_back({std::move(name), std::move(tensor)});
  }
  if (!in.ok()) return false;
  if (services_ == nullptr) {
    InnerResponse refusal;
    refusal.status = Unsupported("this server takes no requests of models");
    SendResponse(number, std::move(refusal), Finality::kFinal);
    return true;
  }
  RefPtr<Responder> responder = services_->Infer(
      std::move(request),
      [self = shared_from_this(), number](InnerResponse&& response, Finality finality) {
        self->SendResponse(number, std::move(response), finality);
      });
  MutexLock lock(&mu_);
  const auto [it, is_first] = inner_.try_emplace(number, std::move(responder));
  if (!is_first || !it->second) inner_.erase(it);  // it was answered meanwhile
  return true;
}

bool WorkerAsks::OnCancel(std::string_view message) {
  MessageReader in(message);
  const auto number = in.Get<uint64_t>();
  RefPtr<Responder> responder;
  {
    MutexLock lock(&mu_);
    const auto it = inner_.find(number);
    if (it != inner_.end()) responder = it->second;
  }
  if (responder) responder->Cancel();
  return in.ok();
}

bool WorkerAsks::OnMetrics(std::string_view message) {
  MessageReader in(message);
  std::vector<MetricUpdate> updates;
  const auto count = in.Get<uint32_t>();
  for (uint32_t i = 0; i < count && in.ok(); ++i) {
    MetricUpdate& update = updates.emplace_back();
    update.series = in.Get<uint64_t>();
    update.is_set = in.Get<uint8_t>() != 0;
    update.value = in.Get<double>();
    update.sum = in.Get<double>();
    const auto buckets = in.Get<uint32_t>();
    for (uint32_t b = 0; buckets != kNoBuckets && b < buckets && in.ok(); ++b) {
      update.bucket_counts.push_back(in.Get<uint64_t>());
    }
  }
  if (!in.ok()) return false;
  uint64_t worker = 0;
  {
    MutexLock lock(&mu_);
    worker = worker_;
  }
  if (services_ != nullptr) services_->UpdateMetrics(worker, updates);
  return true;
}

void WorkerAsks::Reply(uint64_t number, const Result<std::string>& json) {
  const char is_ok = json.ok() ? '\1' : '\0';
  Send(Frame::kCallReply, number, is_ok + (json.ok() ? *json : json.status().message()));
}

void WorkerAsks::SendResponse(uint64_t number, InnerResponse&& response, Finality finality) {
  MessageWriter out;
  out.Put(static_cast<uint8_t>(finality == Finality::kFinal))
      .Put(static_cast<uint8_t>(!response.status.ok()))
      .Put(NumberOf(response.status.code()))
      .Text(response.status.message());
  out.Put(static_cast<uint32_t>(response.parameters.size()));
  out.PutParameters(response.parameters);
  out.Put(static_cast<uint32_t>(response.outputs.size()));
  for (const NamedTensor& output : response.outputs) {
    out.Text(output.name);
    PutTensor(loans_->Describe(0, output.tensor), &out);
  }
  RefPtr<Responder> ended;
  if (finality == Finality::kFinal) {
    MutexLock lock(&mu_);
    // Not there yet: OnSubmit must find that it has ended.
    const auto [it, is_early] = inner_.try_emplace(number);
    if (!is_early) {
      ended = std::move(it->second);
      inner_.erase(it);
    }
  }
  Send(Frame::kInnerResponse, number, out.bytes());
}

void WorkerAsks::Send(Frame frame, uint64_t number, const std::string& payload) {
  MessageWriter header;
  header.Put(static_cast<uint32_t>(payload.size())).Put(static_cast<uint32_t>(frame)).Put(number);
  {
    MutexLock lock(&mu_);
    if (socket_ < 0 || unsent_.size() - sent_ > kMostUnsent) return;
    unsent_.append(header.bytes()).append(payload);
  }
  Flush();
}

void WorkerAsks::Flush() {
  MutexLock lock(&mu_);
  while (sent_ < unsent_.size() && socket_ >= 0) {
    const ssize_t sent =
        send(socket_, unsent_.data() + sent_, unsent_.size() - sent_, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent <= 0) break;
    sent_ += static_cast<size_t>(sent);
  }
  // What was sent goes when it is half of it: else a worker that reads slowly would have the rest
  // moved for every piece.
  if (sent_ >= unsent_.size() - sent_) {
    unsent_.erase(0, sent_);
    sent_ = 0;
  }
  if (unsent_.empty() || socket_ < 0 || is_flush_due_) return;
  is_flush_due_ = true;
  const TimePoint soon = std::chrono::steady_clock::now() + kFlushPause;
  monitor_->PostAt(soon, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    {
      MutexLock lock(&self->mu_);
      self->is_flush_due_ = false;
    }
    self->Flush();
  });
}

}  // namespace pt::backend
