#include "backend/worker_rows.h"

#include <algorithm>

#include "backend/worker_loans.h"

namespace pt::backend {
namespace {

// Has only what every request has.
bool IsPlain(const InferRequest& request) {
  const auto* number = std::get_if<uint64_t>(&request.correlation_id);
  return !request.trace && request.id.empty() && request.parameters.empty() &&
         request.timeout_us == 0 && request.sequence_flags == 0 && number != nullptr &&
         *number == 0;
}

bool IsLike(const InferRequest& a, const InferRequest& b) {
  const auto is_same = [](const InputTensor& one, const InputTensor& other) {
    return one.index == other.index && one.tensor.type == other.tensor.type &&
           one.tensor.data.size == other.tensor.data.size && one.tensor.shape == other.tensor.shape;
  };
  return IsPlain(b) && a.requested_outputs == b.requested_outputs &&
         std::equal(a.inputs.begin(), a.inputs.end(), b.inputs.begin(), b.inputs.end(), is_same);
}

}  // namespace

bool AreAlike(const RequestList& requests) {
  if (requests.size() < 2) return false;
  const InferRequest& first = *requests.front();
  const auto is_small = [](const InputTensor& input) {
    return input.tensor.data.size < WorkerLoans::kLendBytes;
  };
  return IsPlain(first) && std::all_of(first.inputs.begin(), first.inputs.end(), is_small) &&
         std::all_of(requests.begin() + 1, requests.end(),
                     [&first](const RequestPtr& other) { return IsLike(first, *other); });
}

void PutRow(uint64_t key, const InferRequest& request, MessageWriter* out) {
  out->Put(key);
  for (const InputTensor& input : request.inputs) out->Bytes(input.tensor.data.view());
}

bool GetRow(MessageReader* in, ResponseRecord* response) {
  if (response->is_error || response->outputs.empty()) return false;
  response->key = in->Get<uint64_t>();
  for (TensorRecord& output : response->outputs) {
    if (output.place != Place::kInline) return false;
    output.bytes = in->Bytes(output.size);
  }
  return in->ok();
}

}  // namespace pt::backend
