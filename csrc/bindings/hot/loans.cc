#include "bindings/hot/loans.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace pt::hot {
namespace {

constexpr uint64_t kFilePage = uint64_t{1} << 61;  // bits of /proc/self/pagemap
constexpr int kThere = 62;                         // from here on: swapped, present

// linux/fs.h has them since 6.7: pm_scan_arg and PAGEMAP_SCAN.
struct ScanArgument {
  uint64_t size;
  uint64_t flags;
  uint64_t start;
  uint64_t end;
  uint64_t walk_end;
  uint64_t ranges;
  uint64_t most_ranges;
  uint64_t most_pages;
  uint64_t inverted;
  uint64_t all_of;
  uint64_t any_of;
  uint64_t returned;
};
struct ScanRange {
  uint64_t start;
  uint64_t end;
  uint64_t categories;
};
constexpr unsigned long kScan = _IOWR('f', 16, ScanArgument);
constexpr uint64_t kIsFile = 1 << 2;
constexpr uint64_t kIsPresent = 1 << 3;
constexpr uint64_t kIsSwapped = 1 << 4;

uint64_t PageSize() {
  static const auto size = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  return size;
}
uint64_t PageBegin(uint64_t at) { return at / PageSize() * PageSize(); }
uint64_t PageEnd(uint64_t at) { return PageBegin(at + PageSize() - 1); }

}  // namespace

Loans::Loans(char* memory, size_t size, int pagemap)
    : memory_(memory), size_(size), pagemap_(pagemap) {}

Loans::~Loans() {
  munmap(memory_, size_);
  close(pagemap_);
}

Loans::Place Loans::Begin(uint32_t number, uint64_t offset, uint64_t size) {
  return out_.insert(out_.end(), Loan{number, offset, size});
}

void Loans::End(Place loan) { ended_.splice(ended_.end(), out_, loan); }

bool Loans::Covers(const char* data, size_t size) const {
  const auto begin = reinterpret_cast<uintptr_t>(memory_);
  const auto at = reinterpret_cast<uintptr_t>(data);
  return at >= begin && Contains(at - begin, size);
}

Loans::Found Loans::Find(const char* data, size_t size) {
  const auto at = static_cast<uint64_t>(data - memory_);
  const auto holds = [&](const Loan& loan) { return loan.offset <= at && at + size <= loan.end(); };
  auto loan = std::find_if(ended_.begin(), ended_.end(), holds);
  if (loan != ended_.end()) {
    if (!loan->is_clean) loan->is_clean = !IsWritten(loan->offset, loan->size);
    const bool is_unwritten = loan->is_clean || !IsWritten(at, size);
    return {is_unwritten, loan->number, at - loan->offset};
  }
  loan = std::find_if(out_.begin(), out_.end(), holds);
  if (loan == out_.end()) return {};
  return {!IsWritten(at, size), loan->number, at - loan->offset};
}

void Loans::ForgetFindings() {
  for (Loan& loan : ended_) loan.is_clean = false;
}

bool Loans::TakeEnded(std::string* out) {
  if (is_held_ || !has_ended()) return false;
  out->reserve(out->size() + sizeof(uint32_t) * (1 + ended_.size() + shared_.size()));
  std::list<Loan> returned;
  std::list<Loan> written;
  written.swap(shared_);
  while (!ended_.empty()) {
    const Loan& loan = ended_.front();
    std::list<Loan>& target =
        !loan.is_clean && IsWritten(loan.offset, loan.size) ? written : returned;
    target.splice(target.end(), ended_, ended_.begin());
  }
  while (!written.empty()) {
    const Loan& loan = written.front();
    // Two inputs may share a page: it goes with the later one.
    const bool stays = SharesPages(loan);
    if (!stays) {
      const uint64_t first = PageBegin(loan.offset);
      madvise(memory_ + first, PageEnd(loan.end()) - first, MADV_DONTNEED);
    }
    std::list<Loan>& target = stays ? shared_ : returned;
    target.splice(target.end(), written, written.begin());
  }
  if (returned.empty()) return false;
  const auto count = static_cast<uint32_t>(returned.size());
  out->append(reinterpret_cast<const char*>(&count), sizeof count);
  for (const Loan& loan : returned) {
    out->append(reinterpret_cast<const char*>(&loan.number), sizeof loan.number);
  }
  return true;
}

bool Loans::SharesPages(const Loan& loan) const {
  const uint64_t first = PageBegin(loan.offset);
  const uint64_t last = PageEnd(loan.end());
  return std::any_of(out_.begin(), out_.end(),
                     [&](const Loan& other) { return other.offset < last && first < other.end(); });
}

bool Loans::IsWritten(uint64_t offset, uint64_t size) {
  const auto base = reinterpret_cast<uintptr_t>(memory_);
  const uint64_t first = PageBegin(base + offset);
  const uint64_t last = PageEnd(base + offset + size);
  if (can_scan_) {
    ScanRange found{};  // room for one range of pages, of at most one page
    ScanArgument argument{};
    argument.size = sizeof argument;
    argument.start = first;
    argument.end = last;
    argument.ranges = reinterpret_cast<uintptr_t>(&found);
    argument.most_ranges = argument.most_pages = 1;
    // There, and not the file's.
    argument.inverted = argument.all_of = argument.returned = kIsFile;
    argument.any_of = kIsPresent | kIsSwapped;
    const int count = ioctl(pagemap_, kScan, &argument);
    if (count >= 0) return count > 0;
    can_scan_ = false;  // an older kernel
  }
  return ReadPagemap(first / PageSize(), last / PageSize());
}

bool Loans::ReadPagemap(uint64_t first_page, uint64_t last_page) const {
  uint64_t entries[512];
  while (first_page < last_page) {
    const uint64_t count = std::min<uint64_t>(std::size(entries), last_page - first_page);
    const auto size = static_cast<ssize_t>(count * sizeof entries[0]);
    const auto at = static_cast<off_t>(first_page * sizeof entries[0]);
    if (pread(pagemap_, entries, static_cast<size_t>(size), at) != size) return true;
    const bool is_written = std::any_of(entries, entries + count, [](uint64_t entry) {
      return entry >> kThere != 0 && (entry & kFilePage) == 0;
    });
    if (is_written) return true;
    first_page += count;
  }
  return false;
}

}  // namespace pt::hot
