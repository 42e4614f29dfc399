// ModelFiles: the private copy of one model's files that a load works with, and FilesArea, the
// directory of this server where such copies are. Edits of a repository never reach what is loaded.
//
// What a killed server leaves is removed by the next one of the same user (base/kept_directory.h).
//
// Thread rule: thread-safe. Owner rule: ModelFiles are shared by the versions of one load and
// removed with the last; the area outlives them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/kept_directory.h"
#include "base/status.h"
#include "infer/load_control.h"

namespace pt::repo {

class ModelFiles {
 public:
  explicit ModelFiles(std::string dir) : dir_(std::move(dir)) {}
  ~ModelFiles();  // removes them
  ModelFiles(const ModelFiles&) = delete;
  ModelFiles& operator=(const ModelFiles&) = delete;

  const std::string& dir() const { return dir_; }  // absolute: the model's directory

 private:
  const std::string dir_;
};

using ModelFilesRef = std::shared_ptr<const ModelFiles>;

// Whether an uploaded file may have that path below its model's directory. Errors: InvalidArgument,
// in Triton's words, when it would lead outside, or to nothing.
Status CheckUploadPath(const std::string& path);

class FilesArea {
 public:
  // Makes an area below `parent` (empty: $TMPDIR or /tmp) and sweeps abandoned ones. Errors:
  // Internal naming the path.
  static Result<std::unique_ptr<FilesArea>> Create(const std::string& parent);
  FilesArea(const FilesArea&) = delete;
  FilesArea& operator=(const FilesArea&) = delete;

  // Copies `model_dir` with these version directories (others are left out; reflinks where the file
  // system has them). Links are followed; what is no file or directory is left out. `control` may
  // give it up; null: nobody. Errors: Internal naming the file.
  Result<ModelFilesRef> Copy(const std::string& model_dir, const std::vector<int64_t>& versions,
                             const LoadControl* control);
  // Writes uploaded files: path below the model's directory -> bytes. Errors: InvalidArgument for
  // a path that leads outside, in Triton's words; Internal for what the disk says.
  Result<ModelFilesRef> Write(const std::string& name,
                              const std::map<std::string, std::string>& files);

  const std::string& dir() const { return home_->path(); }

 private:
  explicit FilesArea(std::unique_ptr<KeptDirectory> home) : home_(std::move(home)) {}
  Result<std::string> MakePlace(const std::string& name);

  const std::unique_ptr<KeptDirectory> home_;
};

}  // namespace pt::repo
