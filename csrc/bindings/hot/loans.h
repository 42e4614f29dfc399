// Loans: inputs that were lent to this worker, parts of the server's receive memory, which is
// mapped privately (the twin in Python is backends/_loans.py, which tells more).
//
// Thread rule: with the interpreter lock held. Owner rule: owns the mapping and a descriptor;
// outlives the buffers over its memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>

namespace pt::hot {

class Loans {
 public:
  struct Loan {
    uint32_t number = 0;
    uint64_t offset = 0;
    uint64_t size = 0;
    bool is_clean = false;  // it has ended, and was found unwritten after that
    uint64_t end() const { return offset + size; }
  };
  using Place = std::list<Loan>::iterator;

  // `memory` is a private mapping of `size` bytes, `pagemap` this process's /proc/self/pagemap.
  Loans(char* memory, size_t size, int pagemap);
  ~Loans();
  Loans(const Loans&) = delete;
  Loans& operator=(const Loans&) = delete;

  char* memory() const { return memory_; }
  bool Contains(uint64_t offset, uint64_t size) const {
    return offset <= size_ && size <= size_ - offset;
  }

  // A loan that is out from now on. REQUIRES: Contains.
  Place Begin(uint32_t number, uint64_t offset, uint64_t size);
  // Nobody refers to it any more. Allocates nothing.
  void End(Place loan);

  // What an output is sent as whose bytes lie in this memory.
  struct Found {
    bool is_unwritten = false;  // else it has to be copied
    uint32_t number = 0;
    uint64_t offset = 0;  // in the loan
  };
  bool Covers(const char* data, size_t size) const;
  // Looks whether these bytes are an unwritten part of a loan. If that has ended, the answer is
  // kept: nobody can write to it any more, and TakeEnded needn't look again.
  Found Find(const char* data, size_t size);
  // Other threads have run since: pages that ended loans share with others may have been written.
  void ForgetFindings();

  // While answers are kept back that may lie in loans, none is given back: the server must still
  // know them. Only whoever holds them may call TakeEnded with a result.
  void set_held(bool is_held) { is_held_ = is_held; }

  bool has_ended() const { return !ended_.empty() || !shared_.empty(); }
  // Appends how many can be given back and their numbers (u32 each); false: none.
  bool TakeEnded(std::string* out);

  void set_can_scan(bool can_scan) { can_scan_ = can_scan; }
  bool can_scan() const { return can_scan_; }

 private:
  bool IsWritten(uint64_t offset, uint64_t size);
  bool ReadPagemap(uint64_t first_page, uint64_t last_page) const;
  bool SharesPages(const Loan& loan) const;

  char* const memory_;
  const size_t size_;
  const int pagemap_;
  bool is_held_ = false;
  bool can_scan_ = true;  // whether the kernel knows PAGEMAP_SCAN
  std::list<Loan> out_;
  std::list<Loan> ended_;
  std::list<Loan> shared_;  // ended and written, but loans that are out have bytes in their pages
};

}  // namespace pt::hot
