#include "wire/infer_contents.h"

#include <cstring>

#include "wire/proto_reader.h"

namespace pt::wire {
namespace {

// How the elements of a field are written when they are not packed.
WireType ElementType(uint32_t field) {
  switch (static_cast<ContentsField>(field)) {
    case ContentsField::kFp32:
      return WireType::kFixed32;
    case ContentsField::kFp64:
      return WireType::kFixed64;
    case ContentsField::kBytes:
      return WireType::kBytes;
    default:
      return WireType::kVarint;
  }
}

// Calls visitor.Number(field, bits) or visitor.String(bytes) for each element, in order.
template <typename Visitor>
bool VisitOne(ProtoReader& reader, uint32_t field, Visitor& visitor) {
  uint64_t bits = 0;
  uint32_t bits32 = 0;
  switch (ElementType(field)) {
    case WireType::kFixed32:
      if (!reader.ReadFixed32(&bits32)) return false;
      bits = bits32;
      break;
    case WireType::kFixed64:
      if (!reader.ReadFixed64(&bits)) return false;
      break;
    default:
      if (!reader.ReadVarint(&bits)) return false;
      if (field == static_cast<uint32_t>(ContentsField::kBool)) bits = bits != 0;
      break;
  }
  visitor.Number(field, bits);
  return true;
}

template <typename Visitor>
bool VisitField(ProtoReader& reader, Visitor& visitor) {
  const uint32_t field = reader.field();
  if (field > kContentsFields) return reader.Skip();
  std::string_view bytes;
  if (reader.type() == WireType::kBytes) {
    if (!reader.ReadBytes(&bytes)) return false;
    if (ElementType(field) == WireType::kBytes) {
      visitor.String(bytes);
      return true;
    }
    ProtoReader packed(bytes);
    while (!packed.at_end()) {
      if (!VisitOne(packed, field, visitor)) return false;
    }
    return packed.ok();
  }
  if (reader.type() == ElementType(field)) return VisitOne(reader, field, visitor);
  return reader.Skip();
}

template <typename Visitor>
bool Visit(std::string_view message, int depth, Visitor& visitor) {
  ProtoReader reader(message, depth);
  while (reader.Next()) {
    if (!VisitField(reader, visitor)) return false;
  }
  return reader.ok();
}

struct IgnoringVisitor {
  void Number(uint32_t, uint64_t) {}
  void String(std::string_view) {}
};

struct CountingVisitor {
  ContentsCounts counts;
  void Number(uint32_t field, uint64_t) { ++counts.elements[field]; }
  void String(std::string_view bytes) {
    ++counts.elements[static_cast<int>(ContentsField::kBytes)];
    counts.string_bytes += bytes.size();
  }
};

struct CopyingVisitor {
  uint32_t wanted;
  size_t width;
  char* to;
  void Number(uint32_t field, uint64_t bits) {
    if (field != wanted) return;
    // Little-endian: the low bytes come first, so cutting is copying less.
    std::memcpy(to, &bits, width);
    to += width;
  }
  void String(std::string_view bytes) {
    if (wanted != static_cast<uint32_t>(ContentsField::kBytes)) return;
    const auto length = static_cast<uint32_t>(bytes.size());
    std::memcpy(to, &length, sizeof(length));
    to += sizeof(length);
    if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
    to += bytes.size();
  }
};

}  // namespace

bool CheckContents(std::string_view message, int depth) {
  IgnoringVisitor visitor;
  return Visit(message, depth, visitor);
}

ContentsCounts CountContents(std::span<const std::string_view> parts) {
  CountingVisitor visitor;
  for (std::string_view part : parts) {
    if (!Visit(part, 0, visitor)) break;
  }
  return visitor.counts;
}

void CopyContents(std::span<const std::string_view> parts, ContentsField field, size_t width,
                  char* to) {
  CopyingVisitor visitor{static_cast<uint32_t>(field), width, to};
  for (std::string_view part : parts) {
    if (!Visit(part, 0, visitor)) break;
  }
}

}  // namespace pt::wire
