#include "api/http_call.h"

namespace pt::api {
namespace {

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

bool IsSameName(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (Lower(a[i]) != Lower(b[i])) return false;
  }
  return true;
}

}  // namespace

std::string_view HttpRequestHead::Find(std::string_view name) const {
  for (const HeaderView& header : headers) {
    if (IsSameName(header.name, name)) return header.value;
  }
  return {};
}

bool HttpRequestHead::Has(std::string_view name) const {
  for (const HeaderView& header : headers) {
    if (IsSameName(header.name, name)) return true;
  }
  return false;
}

}  // namespace pt::api
