#include "wire/hpack_encoder.h"

#include <algorithm>
#include <array>

namespace pt::wire {
namespace {

// How a field begins (RFC 7541 6): the bits, and how many of the byte's are left for a number.
constexpr uint8_t kIndexed = 0x80, kIndexedBits = 7;
constexpr uint8_t kLiteralKept = 0x40, kLiteralKeptBits = 6;
constexpr uint8_t kLiteral = 0x00, kLiteralBits = 4;
constexpr uint8_t kTableSize = 0x20, kTableSizeBits = 5;

constexpr size_t kEntryOverhead = 32;  // 4.1
constexpr uint32_t kFirstDynamic = 62;
constexpr uint32_t kMaxTable = 4096;
constexpr size_t kMaxEntries = 16;  // what is sent with every answer is far less

struct StaticField {
  std::string_view name;
  std::string_view value;  // empty: any
  uint8_t index;
};
// Of the static table (appendix A): what our answers use.
constexpr std::array<StaticField, 13> kStaticTable{{
    {":status", "200", 8},
    {":status", "204", 9},
    {":status", "400", 12},
    {":status", "404", 13},
    {":status", "500", 14},
    {":status", "", 8},
    {"content-type", "", 31},
    {"content-length", "", 28},
    {"content-encoding", "", 26},
    {"allow", "", 22},
    {"retry-after", "", 53},
    {"vary", "", 59},
    {"www-authenticate", "", 61},
}};

// 5.1.
void AppendNumber(uint8_t pattern, uint8_t bits, uint64_t number, std::string* to) {
  const uint64_t most = (uint64_t{1} << bits) - 1;
  if (number < most) {
    to->push_back(static_cast<char>(pattern | number));
    return;
  }
  to->push_back(static_cast<char>(pattern | most));
  for (number -= most; number >= 0x80; number >>= 7) {
    to->push_back(static_cast<char>(number | 0x80));
  }
  to->push_back(static_cast<char>(number));
}

void AppendString(std::string_view text, std::string* to) {
  AppendNumber(0, 7, text.size(), to);
  to->append(text);
}

// Null: neither the field nor its name is in the static table.
const StaticField* FindStatic(const Http2Field& field) {
  for (const StaticField& known : kStaticTable) {
    if (known.name != field.name) continue;
    if (known.value.empty() || known.value == field.value) return &known;
  }
  return nullptr;
}

void AppendLiteral(uint8_t pattern, uint8_t bits, const Http2Field& field, std::string* to) {
  const StaticField* const known = FindStatic(field);
  AppendNumber(pattern, bits, known != nullptr ? known->index : 0, to);
  if (known == nullptr) AppendString(field.name, to);
  AppendString(field.value, to);
}

// True: the whole field is in the static table.
bool AppendStatic(const Http2Field& field, std::string* to) {
  const StaticField* const known = FindStatic(field);
  if (known == nullptr || known->value.empty()) return false;
  AppendNumber(kIndexed, kIndexedBits, known->index, to);
  return true;
}

bool IsSame(const Http2Field& a, const Http2Field& b) {
  return a.value == b.value && a.name == b.name;
}

}  // namespace

void HpackEncoder::SetTableLimit(uint32_t limit) {
  limit = std::min(limit, kMaxTable);
  if (limit < limit_) {
    must_tell_limit_ = true;
    table_.clear();
    size_ = 0;
  }
  // More than before is ours to use or not (4.2): we don't, so that nothing need be said.
  limit_ = std::min(limit_, limit);
}

void HpackEncoder::BeginBlock(std::string* block) {
  if (!must_tell_limit_) return;
  must_tell_limit_ = false;
  AppendNumber(kTableSize, kTableSizeBits, 0, block);  // forgets all, as we did
  AppendNumber(kTableSize, kTableSizeBits, limit_, block);
}

void HpackEncoder::EncodeStatic(std::span<const Http2Field> fields, std::string* block) {
  BeginBlock(block);
  for (const Http2Field& field : fields) EncodeField(field, block);
}

void HpackEncoder::EncodeField(const Http2Field& field, std::string* block) {
  for (size_t i = 0; i < table_.size(); ++i) {
    if (!IsSame(table_[i], field)) continue;
    const auto index = static_cast<uint32_t>(kFirstDynamic + table_.size() - 1 - i);
    return AppendNumber(kIndexed, kIndexedBits, index, block);
  }
  if (AppendStatic(field, block)) return;
  const size_t size = field.name.size() + field.value.size() + kEntryOverhead;
  if (table_.size() == kMaxEntries || size_ + size > limit_) {
    return AppendLiteral(kLiteral, kLiteralBits, field, block);
  }
  AppendLiteral(kLiteralKept, kLiteralKeptBits, field, block);
  table_.push_back(field);
  size_ += size;
}

void HpackEncoder::EncodeOnce(std::span<const Http2Field> fields, std::string* block) {
  for (const Http2Field& field : fields) {
    if (!AppendStatic(field, block)) AppendLiteral(kLiteral, kLiteralBits, field, block);
  }
}

}  // namespace pt::wire
