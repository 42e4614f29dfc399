// ModelDirectory: a model's directory in a temporary place, for tests of what reads one.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "repo/config_document.h"

namespace pt::testing {}

namespace pt::repo::testing {

using namespace pt::testing;  // one word for both, whichever is in sight

class ModelDirectory {
 public:
  explicit ModelDirectory(const std::string& name = "m") : name_(name) {
    std::string path = (std::filesystem::temp_directory_path() / "pt_model_XXXXXX").string();
    root_ = mkdtemp(path.data());
    std::filesystem::create_directory(path_of(""));
  }
  ~ModelDirectory() { std::filesystem::remove_all(root_); }
  ModelDirectory(const ModelDirectory&) = delete;
  ModelDirectory& operator=(const ModelDirectory&) = delete;

  std::string root() const { return root_; }
  std::string dir() const { return root_ + "/" + name_; }
  std::string path_of(const std::string& file) const { return dir() + "/" + file; }

  ModelDirectory& Write(const std::string& file, const std::string& text) {
    const std::filesystem::path path = path_of(file);
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
    return *this;
  }
  ModelDirectory& WriteConfig(const std::string& text) { return Write("config.pbtxt", text); }

  ConfigPlace place() const {
    ConfigPlace place;
    place.model_dir = dir();
    place.name = name_;
    return place;
  }
  Result<ConfigDocument> Read() const { return ConfigDocument::Read(place()); }

 private:
  const std::string name_;
  std::string root_;
};

}  // namespace pt::repo::testing
