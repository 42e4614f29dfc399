#include "schedule/response_cache.h"

#include <algorithm>
#include <bit>
#include <iterator>
#include <utility>
#include <vector>

#include "infer/execution_record.h"

namespace pt::schedule {
namespace {

// List node, index node, allocator overhead.
constexpr uint64_t kEntryOverhead = 256;

// Every part is written with its length, so that no two different requests give the same bytes.
class KeyWriter {
 public:
  void Number(int64_t number) {
    key_.append(reinterpret_cast<const char*>(&number), sizeof(number));
  }
  void Text(std::string_view text) {
    Number(static_cast<int64_t>(text.size()));
    key_.append(text);
  }
  void Value(const ParameterValue& value) {
    Number(static_cast<int64_t>(value.index()));
    if (const auto* text = std::get_if<std::string>(&value)) return Text(*text);
    if (const auto* real = std::get_if<double>(&value))
      return Number(std::bit_cast<int64_t>(*real));
    if (const auto* integer = std::get_if<int64_t>(&value)) return Number(*integer);
    Number(std::get<bool>(value) ? 1 : 0);
  }
  std::string Take() && { return std::move(key_); }
  void Reserve(size_t bytes) { key_.reserve(bytes); }

 private:
  std::string key_;
};

void WriteParameters(const Parameters& parameters, KeyWriter* writer) {
  std::vector<const Parameters::value_type*> sorted;
  sorted.reserve(parameters.size());
  for (const auto& parameter : parameters) sorted.push_back(&parameter);
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto* a, const auto* b) { return a->first < b->first; });
  writer->Number(static_cast<int64_t>(sorted.size()));
  for (const auto* parameter : sorted) {
    writer->Text(parameter->first);
    writer->Value(parameter->second);
  }
}

// Clients that name all outputs, as some do, ask for what others get without naming any.
void WriteOutputs(const InferRequest& request, KeyWriter* writer) {
  const std::vector<int>& outputs = request.requested_outputs;
  bool is_all = outputs.size() == request.model().config().outputs.size();
  for (size_t i = 0; is_all && i < outputs.size(); ++i) is_all = outputs[i] == static_cast<int>(i);
  writer->Number(is_all ? 0 : static_cast<int64_t>(outputs.size()));
  if (is_all) return;
  for (const int output : outputs) writer->Number(output);
}

uint64_t BytesOf(const std::string& key, const InferResponse& response) {
  uint64_t bytes = kEntryOverhead + key.size();
  for (const OutputTensor& output : response.outputs) {
    bytes += sizeof(output) + output.tensor.data.size;
  }
  for (const auto& [name, value] : response.parameters) {
    bytes += sizeof(value) + name.size();
    if (const auto* text = std::get_if<std::string>(&value)) bytes += text->size();
  }
  return bytes;
}

// The model may go on using its own memory.
InferResponse CopyOf(const InferResponse& response) {
  InferResponse copy;
  copy.parameters = response.parameters;
  copy.outputs.reserve(response.outputs.size());
  for (const OutputTensor& output : response.outputs) {
    const TensorView& tensor = output.tensor;
    copy.outputs.push_back(
        {output.index, {tensor.type, tensor.shape, Slice::Copy(tensor.data.view())}});
  }
  return copy;
}

}  // namespace

ResponseCache::ResponseCache(uint64_t capacity_bytes)
    : capacity_(capacity_bytes), index_(16, Hasher{SipKey::Random()}) {}

std::optional<std::string> ResponseCache::KeyOf(const InferRequest& request) const {
  uint64_t input_bytes = 0;
  for (const InputTensor& input : request.inputs) {
    const Slice& data = input.tensor.data;
    if (data.owner && data.owner->is_client_memory()) return std::nullopt;
    input_bytes += data.size;
  }
  if (input_bytes > capacity_) return std::nullopt;
  const Model& model = request.model();
  KeyWriter writer;
  writer.Reserve(input_bytes + 64 * (request.inputs.size() + 2) + model.name().size());
  writer.Text(model.name());
  writer.Number(model.version());
  writer.Number(static_cast<int64_t>(model.generation()));
  WriteParameters(request.parameters, &writer);
  WriteOutputs(request, &writer);
  writer.Number(static_cast<int64_t>(request.inputs.size()));
  for (const InputTensor& input : request.inputs) {
    writer.Text(model.config().inputs[static_cast<size_t>(input.index)].name);
    writer.Number(static_cast<int64_t>(input.tensor.type));
    writer.Number(input.tensor.shape.rank());
    for (const int64_t dim : input.tensor.shape.dims()) writer.Number(dim);
    writer.Text(input.tensor.data.view());
  }
  return std::move(writer).Take();
}

std::optional<InferResponse> ResponseCache::Find(std::string_view key) {
  MutexLock lock(&mu_);
  const auto found = index_.find(key);
  if (found == index_.end()) {
    ++counters_.misses;
    return std::nullopt;
  }
  ++counters_.hits;
  entries_.splice(entries_.begin(), entries_, found->second);
  return entries_.front().response;
}

void ResponseCache::Insert(std::string key, const InferResponse& response) {
  const uint64_t bytes = BytesOf(key, response);
  if (bytes > capacity_) return;
  Entries fresh;  // copied without the lock
  fresh.push_back({std::move(key), CopyOf(response), bytes});
  MutexLock lock(&mu_);
  if (index_.find(fresh.front().key) != index_.end()) return;
  entries_.splice(entries_.begin(), fresh);
  index_.emplace(entries_.front().key, entries_.begin());
  counters_.bytes += bytes;
  ++counters_.entries;
  EvictLocked();
}

void ResponseCache::EvictLocked() {
  while (counters_.bytes > capacity_) {
    counters_.bytes -= entries_.back().bytes;
    --counters_.entries;
    ++counters_.evictions;
    index_.erase(entries_.back().key);
    entries_.pop_back();
  }
}

void ResponseCache::AddLookupTime(Duration taken) {
  MutexLock lock(&mu_);
  counters_.lookup_ns += Nanoseconds(taken);
}

void ResponseCache::AddInsertionTime(Duration taken) {
  MutexLock lock(&mu_);
  counters_.insertion_ns += Nanoseconds(taken);
}

ResponseCache::Counters ResponseCache::counters() const {
  MutexLock lock(&mu_);
  return counters_;
}

}  // namespace pt::schedule
