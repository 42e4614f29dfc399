#include "wire/content_coding.h"

#include <zlib.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>

namespace pt::wire {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kMinOutput = 4096;
// Bodies are packed once and sent once: speed counts more than the last percent.
constexpr int kLevel = Z_BEST_SPEED;
constexpr int kMemoryLevel = 8;  // zlib's default
constexpr int kZlibWindow = MAX_WBITS;
constexpr int kGzipWindow = MAX_WBITS + 16;
constexpr int kAutoWindow = MAX_WBITS + 32;  // gzip or zlib, told by the first bytes

BlockRef AllocateBlock(BlockPool* pool, size_t size) {
  return pool != nullptr ? pool->Allocate(size) : NewBlock(size);
}

// zlib counts in unsigned int; larger buffers are given in parts.
uInt Part(size_t size) {
  return static_cast<uInt>(std::min<size_t>(size, std::numeric_limits<uInt>::max()));
}

Status NoMemory(size_t size) {
  return Unavailable("no memory for " + std::to_string(size) + " bytes of a content coding");
}

// A block that doubles as it fills, up to a limit.
class Output {
 public:
  Output(BlockPool* pool, size_t lead, size_t limit) : pool_(pool), lead_(lead), limit_(limit) {}

  // Room for at least one byte, at the position of `size()`. False: at the limit or without memory.
  bool MakeRoom(size_t wanted) {
    if (used_ < room_) return true;
    if (room_ >= limit_) return false;
    const size_t grown = std::min(limit_, std::max({wanted, room_ * 2, kMinOutput}));
    BlockRef next = AllocateBlock(pool_, lead_ + grown);
    if (!next) {
      is_out_of_memory_ = true;
      return false;
    }
    if (used_ > 0) std::memcpy(next->data() + lead_, block_->data() + lead_, used_);
    block_ = std::move(next);
    room_ = grown;
    return true;
  }

  char* tail() const { return block_->data() + lead_ + used_; }
  size_t room() const { return room_ - used_; }
  void Use(size_t count) { used_ += count; }
  size_t size() const { return used_; }
  bool is_out_of_memory() const { return is_out_of_memory_; }
  Slice Take() && {
    if (!block_) return {};
    const char* data = block_->data() + lead_;
    return {std::move(block_), data, used_};
  }

 private:
  BlockPool* const pool_;
  const size_t lead_;  // bytes left free before the result, for alignment
  const size_t limit_;
  BlockRef block_;
  size_t room_ = 0;
  size_t used_ = 0;
  bool is_out_of_memory_ = false;
};

class Inflater {
 public:
  Inflater() { is_open_ = inflateInit2(&stream_, kAutoWindow) == Z_OK; }
  ~Inflater() {
    if (is_open_) inflateEnd(&stream_);
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  Status Run(std::string_view bytes, size_t max_size, Output* output) {
    if (!is_open_) return NoMemory(bytes.size());
    const size_t guess = bytes.size() * 4;
    while (true) {
      // One byte more than allowed is asked for, so that "exactly the limit" and "more" differ.
      if (!output->MakeRoom(guess)) {
        return output->is_out_of_memory() ? NoMemory(output->size()) : TooLarge(max_size);
      }
      const int code = Step(&bytes, output);
      if (output->size() > max_size) return TooLarge(max_size);
      if (code == Z_STREAM_END) {
        if (bytes.empty()) return {};
        // Whatever follows must be another member; inflate says so if it is not.
        if (inflateReset(&stream_) != Z_OK) return Damaged();
      } else if (code != Z_OK) {
        return code == Z_BUF_ERROR && bytes.empty() ? CutShort() : Damaged();
      }
    }
  }

 private:
  static Status TooLarge(size_t max_size) {
    return {Code::kTooLarge,
            "decompressed data is larger than the limit of " + std::to_string(max_size) + " bytes"};
  }
  static Status CutShort() {
    return InvalidArgument("compressed data ends before the end of its stream");
  }
  Status Damaged() const {
    const char* reason = stream_.msg != nullptr ? stream_.msg : "not a gzip or zlib stream";
    return InvalidArgument(std::string("compressed data is damaged: ") + reason);
  }

  int Step(std::string_view* bytes, Output* output) {
    const uInt in = Part(bytes->size());
    const uInt out = Part(output->room());
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes->data()));
    stream_.avail_in = in;
    stream_.next_out = reinterpret_cast<Bytef*>(output->tail());
    stream_.avail_out = out;
    const int code = inflate(&stream_, Z_NO_FLUSH);
    bytes->remove_prefix(in - stream_.avail_in);
    output->Use(out - stream_.avail_out);
    return code;
  }

  z_stream stream_{};
  bool is_open_ = false;
};

class Deflater {
 public:
  explicit Deflater(ContentCoding coding) {
    const int window = coding == ContentCoding::kGzip ? kGzipWindow : kZlibWindow;
    is_open_ = deflateInit2(&stream_, kLevel, Z_DEFLATED, window, kMemoryLevel,
                            Z_DEFAULT_STRATEGY) == Z_OK;
  }
  ~Deflater() {
    if (is_open_) deflateEnd(&stream_);
  }
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;

  bool is_open() const { return is_open_; }
  size_t Bound(size_t size) { return deflateBound(&stream_, size); }

  // Packs all of `bytes`; `flush` is Z_FINISH for the last piece.
  Status Run(std::string_view bytes, int flush, Output* output) {
    while (true) {
      if (!output->MakeRoom(kMinOutput)) return NoMemory(output->size());
      const uInt in = Part(bytes.size());
      const uInt out = Part(output->room());
      stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
      stream_.avail_in = in;
      stream_.next_out = reinterpret_cast<Bytef*>(output->tail());
      stream_.avail_out = out;
      const bool is_last_part = in == bytes.size();
      const int code = deflate(&stream_, is_last_part ? flush : Z_NO_FLUSH);
      bytes.remove_prefix(in - stream_.avail_in);
      output->Use(out - stream_.avail_out);
      if (code == Z_STREAM_END) return {};
      if (code != Z_OK && code != Z_BUF_ERROR) return Internal("zlib can't pack this body");
      if (flush == Z_NO_FLUSH && bytes.empty()) return {};
    }
  }

 private:
  z_stream stream_{};
  bool is_open_ = false;
};

// The q of one Accept-Encoding entry; 0 when it is to be skipped.
double QualityOf(std::string_view parameters) {
  if (parameters.empty()) return 1.0;
  if (parameters.substr(0, 2) != "q=") return 0;
  parameters.remove_prefix(2);
  double quality = 0;
  const auto [end, error] =
      std::from_chars(parameters.data(), parameters.data() + parameters.size(), quality);
  return error == std::errc() && end == parameters.data() + parameters.size() ? quality : 0;
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

std::string_view ContentCodingName(ContentCoding coding) {
  switch (coding) {
    case ContentCoding::kGzip:
      return "gzip";
    case ContentCoding::kDeflate:
      return "deflate";
    case ContentCoding::kIdentity:
      break;
  }
  return "identity";
}

Result<ContentCoding> ParseContentCoding(std::string_view name) {
  if (name.empty() || name == "identity") return ContentCoding::kIdentity;
  if (name == "gzip") return ContentCoding::kGzip;
  if (name == "deflate") return ContentCoding::kDeflate;
  return Unsupported("Unsupported compression type");
}

ContentCoding ChooseContentCoding(std::string_view accept_encoding) {
  ContentCoding best = ContentCoding::kIdentity;
  double best_quality = 0;
  while (!accept_encoding.empty()) {
    const size_t comma = std::min(accept_encoding.find(','), accept_encoding.size());
    const std::string_view entry = Trim(accept_encoding.substr(0, comma));
    accept_encoding.remove_prefix(std::min(comma + 1, accept_encoding.size()));
    const size_t semicolon = std::min(entry.find(';'), entry.size());
    const std::string_view name = Trim(entry.substr(0, semicolon));
    if (name.empty()) continue;
    const Result<ContentCoding> coding = ParseContentCoding(name);
    if (!coding.ok()) continue;
    const double quality = QualityOf(semicolon < entry.size() ? Trim(entry.substr(semicolon + 1))
                                                              : std::string_view());
    if (quality > best_quality) {
      best = *coding;
      best_quality = quality;
    }
  }
  return best;
}

Result<Slice> Decompress(std::string_view bytes, const DecompressOptions& options) {
  if (bytes.empty()) return InvalidArgument("nothing to be decompressed");
  const size_t lead = (kAlignment - options.align_offset % kAlignment) % kAlignment;
  const size_t limit = std::min(options.max_size, std::numeric_limits<size_t>::max() / 2) + 1;
  Output output(options.pool, lead, limit);
  Inflater inflater;
  PT_RETURN_IF_ERROR(inflater.Run(bytes, options.max_size, &output));
  return std::move(output).Take();
}

Result<Slice> Compress(const SliceList& pieces, ContentCoding coding, BlockPool* pool) {
  Deflater deflater(coding);
  if (!deflater.is_open()) return NoMemory(TotalSize(pieces));
  Output output(pool, 0, std::numeric_limits<size_t>::max() / 2);
  if (!output.MakeRoom(deflater.Bound(TotalSize(pieces)))) return NoMemory(TotalSize(pieces));
  for (const Slice& piece : pieces) {
    if (!piece.empty()) PT_RETURN_IF_ERROR(deflater.Run(piece.view(), Z_NO_FLUSH, &output));
  }
  PT_RETURN_IF_ERROR(deflater.Run({}, Z_FINISH, &output));
  return std::move(output).Take();
}

}  // namespace pt::wire
