#include "backend/worker_flights.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "backend/worker_rows.h"
#include "backend/worker_trace.h"
#include "base/copy_count.h"
#include "infer/scheduler.h"
#include "tensor/bytes_tensor.h"

namespace pt::backend {
namespace {

constexpr uint16_t kAllOutputs = 0xFFFF;
constexpr size_t kMostIds = 256;  // characters of request ids in a line of the log

// A slot of the worker's response memory, until the answer was sent.
class ResultBlock final : public Block {
 public:
  ResultBlock(std::shared_ptr<SharedRegion> results, std::shared_ptr<WorkerRing> ring,
              const TensorRecord& tensor)
      : Block(results->base() + tensor.offset, tensor.size),
        results_(std::move(results)),
        ring_(std::move(ring)),
        slot_(tensor.number) {}
  ~ResultBlock() override { ring_->FreeSlot(slot_); }

 private:
  const std::shared_ptr<SharedRegion> results_;
  const std::shared_ptr<WorkerRing> ring_;
  const uint32_t slot_;
};

// TritonError's codes (spec/python-backend 1.5).
Code CodeOf(uint8_t code) {
  constexpr Code kCodes[] = {Code::kUnknown,         Code::kInternal,    Code::kNotFound,
                             Code::kInvalidArgument, Code::kUnavailable, Code::kUnsupported,
                             Code::kAlreadyExists,   Code::kCancelled};
  return code < std::size(kCodes) ? kCodes[code] : Code::kInternal;
}

Slice CopyInto(BlockPool* pool, std::string_view bytes) {
  BlockRef block = pool->Allocate(bytes.size());
  if (!block) return {};
  if (!bytes.empty()) std::memcpy(block->data(), bytes.data(), bytes.size());
  CountCopy(bytes.size());
  const char* data = block->data();
  return {std::move(block), data, bytes.size()};
}

}  // namespace

WorkerFlights::WorkerFlights(std::shared_ptr<WorkerRing> ring,
                             std::shared_ptr<SharedRegion> results,
                             std::shared_ptr<WorkerLoans> loans, BlockPool* pool,
                             std::string instance_name)
    : ring_(std::move(ring)),
      results_(std::move(results)),
      loans_(std::move(loans)),
      pool_(pool),
      instance_name_(std::move(instance_name)),
      flights_(WorkerRing::kCancelFlags) {
  for (size_t slot = flights_.size(); slot > 0; --slot) {
    free_.push_back(static_cast<uint32_t>(slot - 1));
  }
}

WorkerFlights::~WorkerFlights() { FailAll(UINT32_MAX / 2, "the worker was stopped"); }

Status WorkerFlights::Enter(uint32_t sequence, Batch* batch, bool is_waited, MessageWriter* out) {
  if (batch->requests.size() > free_.size()) {
    return Unavailable("model instance '" + instance_name_ + "' holds too many requests");
  }
  const bool are_alike = AreAlike(batch->requests);
  const auto count = static_cast<uint32_t>(batch->requests.size());
  out->Put(sequence).Put(are_alike ? count | kRows : count);
  awaited_.clear();
  for (size_t i = 0; i < batch->requests.size(); ++i) {
    const uint32_t slot = free_.back();
    free_.pop_back();
    ++live_;
    Flight& flight = flights_[slot];
    flight.request = std::move(batch->requests[i]);
    flight.batch = is_waited ? batch : nullptr;
    flight.index = i;
    flight.sequence = sequence;
    flight.has_answered = false;
    ++flight.generation;
    if (is_waited) {
      awaited_.push_back(slot);
    } else {
      flight.request->AnswerLater();
    }
    const uint64_t key = uint64_t{flight.generation} << 32 | slot;
    if (are_alike && i > 0) {
      PutRow(key, *flight.request, out);
    } else {
      PutRequest(key, *flight.request, out);
    }
    ring_->SetCancelled(slot, flight.request->is_cancelled());
    flight.request->responder().OnCancel([ring = ring_, slot] { ring->SetCancelled(slot, true); });
  }
  return {};
}

void WorkerFlights::PutRequest(uint64_t key, const InferRequest& request, MessageWriter* out) {
  const auto requested = request.requested_outputs.empty()
                             ? kAllOutputs
                             : static_cast<uint16_t>(request.requested_outputs.size());
  const auto* number = std::get_if<uint64_t>(&request.correlation_id);
  const auto* text = std::get_if<std::string>(&request.correlation_id);
  const std::string_view id(request.id.data(), std::min<size_t>(request.id.size(), 0xFFFF));
  const std::string_view correlation =
      text == nullptr ? std::string_view() : std::string_view(*text).substr(0, 0xFFFF);
  const Parameters trace = TraceParameter(request);
  out->Put(key)
      .Put(number != nullptr ? *number : uint64_t{0})
      .Put(request.timeout_us)
      .Put(request.sequence_flags)
      .Put(static_cast<uint16_t>(id.size()))
      .Put(static_cast<uint16_t>(correlation.size()))
      .Put(requested)
      .Put(static_cast<uint16_t>(request.inputs.size()))
      .Put(static_cast<uint32_t>(request.parameters.size() + trace.size()));
  out->Bytes(id).Bytes(correlation);
  for (const int index : request.requested_outputs) out->Put(static_cast<uint16_t>(index));
  out->PutParameters(request.parameters);
  out->PutParameters(trace);
  for (const InputTensor& input : request.inputs) {
    PutTensor(loans_->Describe(static_cast<uint16_t>(input.index), input.tensor), out);
  }
}

void WorkerFlights::Leave(Batch* batch) {
  for (const uint32_t slot : awaited_) {
    Flight& flight = flights_[slot];
    if (flight.batch != batch) continue;
    flight.batch = nullptr;
    flight.request->AnswerLater();
  }
}

WorkerFlights::Flight* WorkerFlights::Find(uint64_t key) {
  const auto slot = static_cast<uint32_t>(key);
  if (slot >= flights_.size()) return nullptr;
  Flight* flight = &flights_[slot];
  if (!flight->request || flight->generation != static_cast<uint32_t>(key >> 32)) return nullptr;
  return flight;
}

RequestPtr WorkerFlights::TakeOut(Flight* flight) {
  flight->request->responder().OnCancel({});
  flight->batch = nullptr;
  free_.push_back(static_cast<uint32_t>(flight - flights_.data()));
  --live_;
  return std::move(flight->request);
}

void WorkerFlights::Deliver(Flight* flight, InferResponse&& response, Finality finality) {
  if (finality == Finality::kMore) {
    flight->has_answered = true;
    flight->request->Respond(std::move(response), finality);
    return;
  }
  Batch* const batch = flight->batch;
  const size_t index = flight->index;
  RequestPtr request = TakeOut(flight);
  if (batch == nullptr) {
    request->Respond(std::move(response), finality);
    return;
  }
  batch->responses[index] = std::move(response);
  batch->requests[index] = std::move(request);
}

bool WorkerFlights::OnResponses(std::string_view message) {
  MessageReader in(message);
  const auto count = in.Get<uint32_t>();
  const bool are_rows = (count & kRows) != 0;
  std::optional<ResponseRecord> record;
  for (uint32_t i = 0; i < (count & ~kRows) && in.ok(); ++i) {
    if (are_rows && i > 0) {
      if (!GetRow(&in, &*record)) return false;
    } else {
      record = GetResponse(&in);
      if (!record) return false;
    }
    Flight* flight = Find(record->key);
    bool is_sound = true;
    if (flight == nullptr) {
      // Nobody waits for it; slots of the response memory are given back all the same.
      for (const TensorRecord& output : record->outputs) {
        if (output.place == Place::kResponse) ring_->FreeSlot(output.number);
      }
      continue;
    }
    InferResponse response = ToResponse(&*record, *flight->request, &is_sound);
    if (!is_sound) return false;
    Deliver(flight, std::move(response), record->is_final ? Finality::kFinal : Finality::kMore);
  }
  return in.ok();
}

InferResponse WorkerFlights::ToResponse(ResponseRecord* record, const InferRequest& request,
                                        bool* is_sound) {
  InferResponse response;
  response.parameters = std::move(record->parameters);
  if (record->is_error) response.status = Status(CodeOf(record->code), std::string(record->error));
  for (const TensorRecord& output : record->outputs) {
    OutputTensor tensor;
    tensor.index = output.index;
    tensor.tensor.type = output.type;
    tensor.tensor.shape = output.shape;
    // Also of what is dropped: its slot must come back.
    tensor.tensor.data = ToSlice(output, is_sound);
    if (!*is_sound) return {};
    const bool is_wanted =
        output.index < request.model().config().outputs.size() && request.WantsOutput(output.index);
    if (is_wanted && !record->is_error) response.outputs.push_back(std::move(tensor));
  }
  return response;
}

Slice WorkerFlights::ToSlice(const TensorRecord& tensor, bool* is_sound) {
  Slice data;
  switch (tensor.place) {
    case Place::kInline:
      data = CopyInto(pool_, tensor.bytes);
      break;
    case Place::kResponse: {
      if (!results_->Contains(tensor.offset, tensor.size)) break;
      auto block = MakeRef<ResultBlock>(results_, ring_, tensor);
      const char* bytes = block->data();
      data = Slice(std::move(block), bytes, tensor.size);
      // Text is walked by its own lengths: they must not change any more once they are checked.
      if (tensor.type == DataType::kBytes) data = CopyInto(pool_, data.view());
      break;
    }
    case Place::kInput: {
      const Slice loan = loans_->Find(tensor.number);
      if (tensor.offset > loan.size || tensor.size > loan.size - tensor.offset) break;
      data = loan.Sub(tensor.offset, tensor.size);
      break;
    }
  }
  *is_sound = static_cast<bool>(data.owner);
  if (*is_sound && tensor.type == DataType::kBytes) {
    const int64_t elements = tensor.shape.ElementCount().value_or(-1);
    *is_sound = CheckBytes(data.view(), elements).fault == BytesFault::kNone;
  }
  return data;
}

bool WorkerFlights::OnReturnInputs(std::string_view message) {
  MessageReader in(message);
  const auto count = in.Get<uint32_t>();
  for (uint32_t i = 0; i < count && in.ok(); ++i) loans_->Return(in.Get<uint32_t>());
  return in.ok();
}

void WorkerFlights::OnRelease(uint64_t key) {
  Flight* flight = Find(key);
  if (flight == nullptr) return;
  InferResponse response;
  if (!flight->has_answered) {
    response.status = Internal("Failed to process the request(s) for model '" + instance_name_ +
                               "', message: the model dropped the request without a response.");
  }
  Deliver(flight, std::move(response), Finality::kFinal);
}

void WorkerFlights::OnReschedule(uint64_t key) {
  Flight* flight = Find(key);
  if (flight == nullptr) return;
  RequestPtr request = TakeOut(flight);
  request->AnswerLater();
  Scheduler& scheduler = request->handle()->scheduler();
  RequestList list;
  list.push_back(std::move(request));
  scheduler.Submit(std::move(list), nullptr);
}

Status WorkerFlights::NotHealthy(const std::string& text) const {
  return Internal("Failed to process the request(s) for model '" + instance_name_ +
                  "', message: " + text);
}

std::string WorkerFlights::FailBatch(uint32_t sequence, const std::string& text) {
  std::string ids;
  for (Flight& flight : flights_) {
    if (!flight.request || flight.sequence != sequence) continue;
    if (ids.size() < kMostIds && !flight.request->id.empty()) {
      ids += (ids.empty() ? "" : ", ") + flight.request->id;
    }
    InferResponse response;
    response.status = NotHealthy(text);
    Deliver(&flight, std::move(response), Finality::kFinal);
  }
  return ids.empty() ? "<id_unknown>" : ids;
}

void WorkerFlights::FailAll(uint32_t begun, const std::string& text) {
  RequestList again;
  for (Flight& flight : flights_) {
    if (!flight.request) continue;
    const bool has_begun = static_cast<int32_t>(flight.sequence - begun) <= 0;
    if (!has_begun) {
      again.push_back(TakeOut(&flight));
      again.back()->AnswerLater();
      continue;
    }
    InferResponse response;
    response.status = NotHealthy(text);
    Deliver(&flight, std::move(response), Finality::kFinal);
  }
  if (!again.empty()) {
    Scheduler& scheduler = again.front()->handle()->scheduler();
    scheduler.Submit(std::move(again), nullptr);
  }
  loans_->Clear();
}

}  // namespace pt::backend
