// What a server's models of files are told apart by. Without namespaces that is the model's name;
// with them (--model-namespacing) it is <repository>/<name>, so that two repositories may hold
// models of the same name.
//
// Thread rule: pure functions.
#pragma once

#include <string>
#include <string_view>

namespace pt::repo {

// `space` empty: no namespace. REQUIRES: `name` has no slash in it (layout.h: CheckModelName).
inline std::string ModelKey(std::string_view space, std::string_view name) {
  std::string key(space);
  if (!key.empty()) key += '/';
  return key.append(name);
}

inline std::string_view NameOfKey(std::string_view key) {
  return key.substr(key.rfind('/') + 1);  // all of it when there is none
}

inline std::string_view SpaceOfKey(std::string_view key) {
  const size_t slash = key.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : key.substr(0, slash);
}

}  // namespace pt::repo
