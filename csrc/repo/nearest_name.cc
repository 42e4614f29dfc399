#include "repo/nearest_name.h"

#include <algorithm>
#include <cctype>
#include <numeric>

namespace pt::repo {
namespace {

// Longer names are no typing errors, and the comparison costs the product of the lengths.
constexpr size_t kMaxLength = 100;

char Lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

bool EndsWithWord(std::string_view name, std::string_view word) {
  if (name.size() <= word.size() || name[name.size() - word.size() - 1] != '_') return false;
  return std::equal(word.begin(), word.end(), name.end() - static_cast<long>(word.size()),
                    [](char a, char b) { return Lower(a) == Lower(b); });
}

// Insertions, deletions and replacements, ignoring case.
size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (Lower(a[i - 1]) == Lower(b[j - 1]) ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string NearestName(std::string_view name, const std::vector<std::string>& known) {
  if (name.empty() || name.size() > kMaxLength) return {};
  size_t least = std::max<size_t>(1, name.size() / 3) + 1;
  std::string nearest;
  for (const std::string& candidate : known) {
    const size_t distance = EndsWithWord(candidate, name) ? 0 : EditDistance(name, candidate);
    if (distance >= least) continue;
    least = distance;
    nearest = candidate;
  }
  return nearest;
}

}  // namespace pt::repo
