#include "tensor/shm_region.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <limits>
#include <utility>

#include "base/copy_count.h"

namespace pt {
namespace {

// Triton's python backend keeps its own memory under this prefix; no server of ours has names in
// /dev/shm, but one of Triton's may run beside it.
constexpr std::string_view kReservedPrefix = "triton_python_backend_shm_region_";
constexpr size_t kMaxKey = 255;  // NAME_MAX

std::string CannotRegister(const ShmRegionSpec& spec) {
  return "cannot register shared memory region '" + spec.name + "' with key '" + spec.key + "'";
}

Status InvalidArgs(const ShmRegionSpec& spec) {
  return InvalidArgument("failed to register shared memory region '" + spec.name +
                         "': invalid args");
}

// The name without its leading slash.
Result<std::string_view> NameOfKey(const ShmRegionSpec& spec) {
  std::string_view name = spec.key;
  if (name.substr(0, 1) == "/") name.remove_prefix(1);
  const bool has_forbidden = name.find('/') != std::string_view::npos ||
                             name.find('\0') != std::string_view::npos || name == "." ||
                             name == "..";
  if (name.empty() || name.size() > kMaxKey || has_forbidden) {
    return InvalidArgument(CannotRegister(spec) + " - invalid shm key '" + spec.key + "'");
  }
  if (name.substr(0, kReservedPrefix.size()) == kReservedPrefix) {
    return InvalidArgument(CannotRegister(spec) + " as the key contains the reserved prefix '" +
                           std::string(kReservedPrefix) + "'");
  }
  return name;
}

bool IsInside(const ShmRegionSpec& spec, uint64_t object_size) {
  return spec.byte_size > 0 && spec.byte_size <= object_size &&
         spec.offset <= object_size - spec.byte_size;
}

uint64_t SizeOf(int descriptor) {
  struct stat info = {};
  if (fstat(descriptor, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size < 0) return 0;
  return static_cast<uint64_t>(info.st_size);
}

// System calls that give less than was asked for, until all is done: `transfer(done)` does one.
template <typename Transfer>
bool TransferAll(size_t size, Transfer transfer) {
  size_t done = 0;
  while (done < size) {
    const ssize_t count = transfer(done);
    if (count > 0) {
      done += static_cast<size_t>(count);
    } else if (count == 0 || errno != EINTR) {
      return false;
    }
  }
  return true;
}

}  // namespace

Result<ShmRegion::Mapping> ShmRegion::Map(const ShmRegionSpec& spec, int descriptor) {
  if (!IsInside(spec, SizeOf(descriptor))) return InvalidArgs(spec);
  const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  Mapping mapping;
  mapping.descriptor = descriptor;
  mapping.skip = spec.offset % page;
  mapping.size = mapping.skip + spec.byte_size;  // no overflow: the object's size is an off_t
  void* begin = mmap(nullptr, mapping.size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor,
                     static_cast<off_t>(spec.offset - mapping.skip));
  if (begin == MAP_FAILED) {
    return Internal("failed to register shared memory region '" + spec.name +
                    "': unable to process address space: " + std::strerror(errno));
  }
  mapping.begin = static_cast<char*>(begin);
  return mapping;
}

Result<RefPtr<ShmRegion>> ShmRegion::Open(ShmRegionSpec spec) {
  PT_ASSIGN_OR_RETURN(const std::string_view name, NameOfKey(spec));
  // shm_open neither follows links nor blocks on anything that may lie there.
  const int descriptor = shm_open(("/" + std::string(name)).c_str(), O_RDWR | O_NONBLOCK, 0);
  if (descriptor < 0) {
    return Internal("Unable to open shared memory region: '" + spec.key + "'");
  }
  Result<Mapping> mapping = Map(spec, descriptor);
  if (!mapping.ok()) {
    close(descriptor);
    return mapping.status();
  }
  return RefPtr<ShmRegion>(new ShmRegion(std::move(spec), *mapping));
}

ShmRegion::ShmRegion(ShmRegionSpec spec, const Mapping& mapping)
    : Region(std::move(spec.name), RegionKind::kSystem, mapping.begin + mapping.skip,
             spec.byte_size),
      key_(std::move(spec.key)),
      offset_(spec.offset),
      mapping_(mapping),
      guarded_(std::in_place, mapping.begin, mapping.size) {}

ShmRegion::~ShmRegion() {
  guarded_.reset();  // first: the addresses may be another mapping's right after munmap
  munmap(mapping_.begin, mapping_.size);
  close(mapping_.descriptor);
}

Status ShmRegion::Truncated() const {
  return InvalidArgument("expected shared memory region '" + name() + "' to stay as it was " +
                         "registered, but the client took memory away from it");
}

Status ShmRegion::CheckIntact(uint64_t offset, uint64_t size) const {
  if (guarded_->is_broken()) return Truncated();
  // A cut inside of a page is not noticed by touching it.
  return SizeOf(mapping_.descriptor) < offset_ + offset + size ? Truncated() : Status();
}

Result<RegionBytes> ShmRegion::Read(uint64_t offset, uint64_t size, BlockPool* pool) {
  RegionBytes read;
  if (!FaultGuard::IsActive()) {
    PT_ASSIGN_OR_RETURN(read.bytes, Snapshot(offset, size, pool));
    return read;
  }
  PT_ASSIGN_OR_RETURN(read.bytes, InPlace(offset, size));
  PT_RETURN_IF_ERROR(CheckIntact(offset, size));
  return read;
}

Result<Slice> ShmRegion::Snapshot(uint64_t offset, uint64_t size, BlockPool* pool) {
  PT_RETURN_IF_ERROR(CheckRange(offset, size));
  BlockRef block = pool->Allocate(size);
  if (!block) {
    return Unavailable("no memory for " + std::to_string(size) +
                       " bytes of shared memory region '" + name() + "'");
  }
  char* const to = block->data();
  const auto read = [&](size_t done) {
    return pread(mapping_.descriptor, to + done, size - done,
                 static_cast<off_t>(offset_ + offset + done));
  };
  if (!TransferAll(size, read)) return Truncated();
  CountCopy(size);
  return Slice(std::move(block), to, size);
}

Status ShmRegion::Write(uint64_t offset, std::string_view bytes) {
  PT_RETURN_IF_ERROR(CheckRange(offset, bytes.size()));
  PT_RETURN_IF_ERROR(CheckIntact(offset, bytes.size()));
  if (FaultGuard::IsActive()) {
    // The source may lie in the same region: a callable that gives its input back.
    if (!bytes.empty()) std::memmove(data() + offset, bytes.data(), bytes.size());
    CountCopy(bytes.size());
    return CheckIntact(offset, bytes.size());
  }
  const auto write = [&](size_t done) {
    return pwrite(mapping_.descriptor, bytes.data() + done, bytes.size() - done,
                  static_cast<off_t>(offset_ + offset + done));
  };
  if (!TransferAll(bytes.size(), write)) return Truncated();
  CountCopy(bytes.size());
  return {};
}

}  // namespace pt
