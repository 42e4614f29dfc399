#include "repo/repository.h"

#include <utility>

namespace pt::repo {

Repository::Repository(SchedulerFactory factory) : program_(std::move(factory), &table_) {}

Repository::~Repository() = default;

std::vector<IndexEntry> Repository::Index() const {
  std::vector<IndexEntry> index = table_.Index();
  if (control_ != nullptr) control_->CompleteIndex(&index);
  return index;
}

bool Repository::IsReady() const {
  if (control_ != nullptr && (!control_->HasStarted() || control_->HasMissing())) return false;
  return table_.IsReady();
}

}  // namespace pt::repo
