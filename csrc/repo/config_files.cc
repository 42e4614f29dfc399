#include "repo/config_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <optional>
#include <system_error>

#include "base/unique_fd.h"

namespace pt::repo {
namespace {

std::string Reason(int error) { return std::generic_category().message(error); }

Status OpenFailure(const std::string& path, const std::string& reason) {
  return Internal("failed to open text file for read " + path + ": " + reason);
}

// Dangling links count: they are somebody's configuration that can't be read.
bool IsThere(const std::string& path) {
  struct stat info{};
  return lstat(path.c_str(), &info) == 0;
}

Result<ConfigFile> FindIn(const std::string& dir, const std::string& stem) {
  struct Kind {
    const char* suffix;
    ConfigFormat format;
  };
  static constexpr std::array<Kind, 3> kKinds = {{{".pbtxt", ConfigFormat::kText},
                                                  {".json", ConfigFormat::kJson},
                                                  {".yaml", ConfigFormat::kYaml}}};
  ConfigFile found;
  const std::string before = dir + "/" + stem;
  for (const Kind& kind : kKinds) {
    std::string path = before;
    path += kind.suffix;
    if (!IsThere(path)) continue;
    if (!found.path.empty()) {
      return InvalidArgument("expected one configuration file, found " + found.path + " and " +
                             path + ": remove one of them");
    }
    found = {path, kind.format};
  }
  return found;
}

}  // namespace

Result<std::string> RealPath(const std::string& path) {
  if (path.find('\0') != std::string::npos) return OpenFailure(path, Reason(ENOENT));
  const std::unique_ptr<char, decltype(&free)> real(realpath(path.c_str(), nullptr), &free);
  if (real == nullptr) return OpenFailure(path, Reason(errno));
  return std::string(real.get());
}

Result<std::string> ReadWholeFile(const std::string& path, size_t max_bytes) {
  // Without O_NONBLOCK a named pipe would wait for its writer.
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.is_open()) return OpenFailure(path, Reason(errno));
  struct stat info{};
  if (fstat(file.get(), &info) != 0) return OpenFailure(path, Reason(errno));
  if (S_ISDIR(info.st_mode)) return OpenFailure(path, Reason(EISDIR));
  if (!S_ISREG(info.st_mode)) return OpenFailure(path, "it is no regular file");
  std::string text;
  std::array<char, 64 << 10> piece;
  while (true) {
    const ssize_t count = read(file.get(), piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return OpenFailure(path, Reason(errno));
    if (count == 0) return text;
    text.append(piece.data(), static_cast<size_t>(count));
    if (text.size() > max_bytes) {
      return OpenFailure(path, "expected at most " + std::to_string(max_bytes) + " bytes");
    }
  }
}

Result<ConfigFile> FindConfigFile(const ConfigPlace& place) {
  if (!place.config_name.empty()) {
    const std::string& name = place.config_name;
    if (name == "." || name == ".." || name.find('/') != std::string::npos ||
        name.find('\0') != std::string::npos) {
      return InvalidArgument("invalid configuration name '" + name + "': expected a file name");
    }
    PT_ASSIGN_OR_RETURN(ConfigFile named, FindIn(place.model_dir + "/configs", name));
    if (!named.path.empty()) return named;
  }
  return FindIn(place.model_dir, "config");
}

Result<std::map<int64_t, std::string>> VersionDirectories(const std::string& model_dir) {
  const std::unique_ptr<DIR, decltype(&closedir)> dir(opendir(model_dir.c_str()), &closedir);
  if (dir == nullptr) {
    return Internal("failed to open directory " + model_dir + ": " + Reason(errno));
  }
  std::map<int64_t, std::string> versions;
  while (true) {
    errno = 0;
    const dirent* entry = readdir(dir.get());
    if (entry == nullptr) break;
    const std::optional<int64_t> version = ParseVersionName(entry->d_name);
    if (!version) continue;
    const std::string path = model_dir + "/" + entry->d_name;
    struct stat info{};
    if (stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) versions.emplace(*version, path);
  }
  if (errno != 0) return Internal("failed to read directory " + model_dir + ": " + Reason(errno));
  return versions;
}

Result<std::string> PathInModel(const std::string& model_dir, const std::string& file,
                                const std::string& outside) {
  const std::string path = file.starts_with('/') ? file : model_dir + "/" + file;
  const Result<std::string> root = RealPath(model_dir);
  Result<std::string> real = RealPath(path);
  if (!root.ok() || !real.ok()) {
    // Whether something exists outside is nobody's business: what looks as if it leaves, leaves.
    const std::string parts = "/" + file + "/";
    const bool leaves = file.starts_with('/') || parts.find("/../") != std::string::npos;
    return leaves ? Unsupported(outside) : real.ok() ? root.status() : real.status();
  }
  if (!real->starts_with(*root + "/")) return Unsupported(outside);
  return real;
}

Result<std::vector<std::string>> ReadLabels(const std::string& path) {
  PT_ASSIGN_OR_RETURN(const std::string text, ReadWholeFile(path, kMaxConfigBytes));
  std::vector<std::string> labels;
  size_t at = 0;
  while (at < text.size()) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string& label = labels.emplace_back(text, at, end - at);
    if (label.ends_with('\r')) label.pop_back();
    at = end + 1;
  }
  return labels;
}

}  // namespace pt::repo
