#include "api/trace_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <utility>

#include "api/rest_tensor.h"
#include "api/trace_names.h"
#include "wire/json_writer.h"

namespace pt::api {
namespace {

constexpr size_t kTraceRoom = 1024;
constexpr mode_t kMode = 0644;
// Of text that waits for one write.
constexpr size_t kMaxPending = size_t{1} << 20;

std::string ShapeText(const Shape& shape) {
  std::string text;
  for (const int64_t dim : shape.dims()) {
    if (!text.empty()) text += ',';
    text += std::to_string(dim);
  }
  return text;
}

// IEEE 754 binary16.
float OfFp16(uint16_t bits) {
  const int exponent = bits >> 10 & 0x1f;
  const int fraction = bits & 0x3ff;
  float value = std::ldexp(static_cast<float>(exponent == 0 ? fraction : fraction + 0x400),
                           std::max(exponent, 1) - 25);
  if (exponent == 0x1f) {
    value = fraction == 0 ? std::numeric_limits<float>::infinity()
                          : std::numeric_limits<float>::quiet_NaN();
  }
  return (bits & 0x8000) != 0 ? -value : value;
}

// The upper half of a binary32.
float OfBf16(uint16_t bits) { return std::bit_cast<float>(uint32_t{bits} << 16); }

// Types that JSON has no form for, as numbers that have one.
TensorView Readable(const TensorView& tensor) {
  if (tensor.type != DataType::kFp16 && tensor.type != DataType::kBf16) return tensor;
  std::string floats;
  floats.reserve(2 * tensor.data.size);
  for (size_t at = 0; at + sizeof(uint16_t) <= tensor.data.size; at += sizeof(uint16_t)) {
    uint16_t bits = 0;
    std::memcpy(&bits, tensor.data.data + at, sizeof(bits));
    const float value = tensor.type == DataType::kFp16 ? OfFp16(bits) : OfBf16(bits);
    std::array<char, sizeof(value)> bytes = std::bit_cast<std::array<char, sizeof(value)>>(value);
    floats.append(bytes.data(), bytes.size());
  }
  return {DataType::kFp32, tensor.shape, Slice::OfString(std::move(floats))};
}

// The elements, divided by commas; empty when the bytes are no such elements.
std::string DataText(const Trace::Tensor& tensor) {
  wire::JsonWriter writer(nullptr, kTraceRoom);
  const TensorView readable = Readable(tensor.tensor);
  const bool is_written = TensorToJson(readable, tensor.name, &writer).ok() && writer.ok();
  const std::string_view text = writer.view();
  return is_written && text.size() >= 2 ? std::string(text.substr(1, text.size() - 2))
                                        : std::string();
}

void WriteHead(const TraceSubject& subject, wire::JsonWriter* writer) {
  writer->Raw("{\"id\":").Integer(subject.id);
  writer->Raw(",\"model_name\":").Raw(JsonText(subject.model_name));
  writer->Raw(",\"model_version\":").Integer(subject.model_version);
  if (!subject.request_id.empty())
    writer->Raw(",\"request_id\":").Raw(JsonText(subject.request_id));
  if (subject.parent_id != 0) writer->Raw(",\"parent_id\":").Integer(subject.parent_id);
  writer->Raw("}");
}

bool WriteAll(int fd, std::string_view text, uint64_t offset) {
  while (!text.empty()) {
    const ssize_t written = pwrite(fd, text.data(), text.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<size_t>(written));
    offset += static_cast<uint64_t>(written);
  }
  return true;
}

}  // namespace

std::string TraceToJson(Trace* trace) {
  const TraceSubject& subject = trace->subject;
  wire::JsonWriter writer(nullptr, kTraceRoom);
  WriteHead(subject, &writer);
  for (const Trace::Stamp& stamp : trace->TakeStamps()) {
    writer.Raw(",{\"id\":").Integer(subject.id);
    writer.Raw(",\"timestamps\":[{\"name\":\"").Raw(EventName(stamp.event, subject.front));
    writer.Raw("\",\"ns\":").Integer(int64_t{stamp.at.time_since_epoch().count()}).Raw("}]}");
  }
  for (const Trace::Tensor& tensor : trace->TakeTensors()) {
    writer.Raw(",{\"id\":").Integer(subject.id);
    writer.Raw(",\"activity\":\"").Raw(ActivityName(tensor.activity));
    writer.Raw("\",\"tensor\":{\"name\":").Raw(JsonText(tensor.name));
    writer.Raw(",\"data\":").Raw(JsonText(DataText(tensor)));
    writer.Raw(",\"shape\":\"").Raw(ShapeText(tensor.tensor.shape));
    writer.Raw("\",\"dtype\":\"").Raw(DataTypeName(tensor.tensor.type)).Raw("\"}}");
  }
  return writer.ok() ? std::string(writer.view()) : std::string();
}

void TraceFile::Write(std::vector<std::unique_ptr<Trace>> traces) {
  for (const auto& trace : traces) WriteOne(trace.get());
  Flush();
}

void TraceFile::WriteOne(Trace* trace) {
  const TraceSubject& subject = trace->subject;
  const Place place = subject.log_frequency > 0 ? Place::kIndexed : Place::kPlain;
  if (Open(place)) {
    pending_ += size_ == 0 && pending_.empty() ? "[" : ",";
    pending_ += TraceToJson(trace);
    ++in_file_;
    if (pending_.size() > kMaxPending) Flush();
  }
  const bool is_complete =
      subject.series && subject.series->open.fetch_sub(1) == 1 && subject.series->is_full.load();
  if (place == Place::kIndexed && (in_file_ >= subject.log_frequency || is_complete)) Close();
  if (place == Place::kPlain && is_complete) Retire();
}

bool TraceFile::Open(Place place) {
  if (fd_.is_open() && place == place_) return true;
  Close();
  const bool goes_on = place == Place::kPlain && was_plain_made_;
  open_path_ = place == Place::kPlain ? path_ : path_ + "." + std::to_string(next_index_);
  fd_.Reset(
      open(open_path_.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC | (goes_on ? 0 : O_TRUNC), kMode));
  if (!fd_.is_open()) {
    Report("open");
    return false;
  }
  if (place == Place::kIndexed) ++next_index_;
  was_plain_made_ |= place == Place::kPlain;
  place_ = place;
  size_ = goes_on ? plain_size_ : 0;
  in_file_ = 0;
  return true;
}

void TraceFile::Flush() {
  if (!fd_.is_open() || pending_.empty()) return;
  const size_t added = pending_.size();
  pending_ += ']';
  if (WriteAll(fd_.get(), pending_, size_)) {
    size_ += added;
    has_reported_ = false;
  } else {
    Report("write");
    // What was there before is made whole again.
    if (ftruncate(fd_.get(), static_cast<off_t>(size_)) == 0 && size_ > 0)
      WriteAll(fd_.get(), "]", size_);
  }
  pending_.clear();
}

void TraceFile::Close() {
  if (!fd_.is_open()) return;
  Flush();
  if (place_ == Place::kPlain) plain_size_ = size_;
  fd_.Reset();
}

void TraceFile::Retire() {
  Close();
  if (!std::exchange(was_plain_made_, false)) return;
  const std::string to = path_ + "." + std::to_string(next_index_++);
  if (std::rename(path_.c_str(), to.c_str()) != 0) Report("rename");
}

void TraceFile::Report(std::string_view what) {
  const int error = errno;
  if (std::exchange(has_reported_, true)) return;  // once until it works again
  std::array<char, 128> text{};
  PT_LOG(logger_, kError,
         "failed to " + std::string(what) + " the trace file " + open_path_ + ": " +
             strerror_r(error, text.data(), text.size()) + "; traces are dropped");
}

}  // namespace pt::api
