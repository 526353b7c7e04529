#include "tests/corruption/corruption.h"

#include <gtest/gtest.h>

#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace weft::corruption {
namespace {

// Whether the message says "byte N" for an N up to `file_bytes`.
bool NamesOffset(const std::string& message, size_t file_bytes) {
  const std::string mark = "byte ";
  for (size_t at = message.find(mark); at != std::string::npos; at = message.find(mark, at + 1)) {
    const char* const number = message.c_str() + at + mark.size();
    if (std::isdigit(static_cast<unsigned char>(*number)) != 0 &&
        std::strtoull(number, nullptr, 10) <= file_bytes)
      return true;
  }
  return false;
}

struct Count {
  size_t refused = 0;
  size_t valid = 0;
};

struct Totals {
  ~Totals() {
    for (const auto& [kind, count] : counts)
      std::printf("corruption: %s: %zu cases, %zu refused, %zu still valid\n", kind.c_str(),
                  count.refused + count.valid, count.refused, count.valid);
  }
  std::map<std::string, Count> counts;
};
Totals totals;

}  // namespace

Tally::Tally(std::string kind, std::string file) : kind_(std::move(kind)), file_(std::move(file)) {
  EXPECT_FALSE(file_->empty());  // which every message has
}

void Tally::Check(const std::string& name, size_t file_bytes, const absl::Status& outcome,
                  const Expectation& expected) {
  ++(outcome.ok() ? totals.counts[kind_].valid : totals.counts[kind_].refused);
  const std::string message(outcome.message());
  if (expected.verdict == Verdict::kValid) {
    EXPECT_TRUE(outcome.ok()) << kind_ << ": " << name << " is valid, but: " << message;
    return;
  }
  EXPECT_FALSE(outcome.ok()) << kind_ << ": " << name << " was accepted";
  if (outcome.ok()) return;
  EXPECT_TRUE(!file_ || absl::StrContains(message, *file_))
      << kind_ << ": " << name << ": the file is not named: " << message;
  for (const std::string& word : expected.words)
    EXPECT_TRUE(absl::StrContains(message, word))
        << kind_ << ": " << name << ": '" << word << "' is not named: " << message;
  EXPECT_TRUE(!expected.offset || NamesOffset(message, file_bytes))
      << kind_ << ": " << name << ": no offset: " << message;
  EXPECT_LT(message.size(), 2000) << kind_ << ": " << name << ": a message of unbounded length";
}

std::vector<uint64_t> HostileNumbers(uint64_t value, int bits, uint64_t file_bytes) {
  const uint64_t max = bits == 64 ? ~uint64_t{0} : ~uint64_t{0} >> (64 - bits);
  std::set<uint64_t> numbers = {0, 1, value + 1, value - 1, file_bytes, file_bytes + 1, max};
  for (int bit = 8; bit < bits; ++bit) {
    const uint64_t power = uint64_t{1} << bit;
    numbers.insert({power - 1, power, power + 1});
  }
  for (const uint64_t element : {2, 3, 4, 8, 12, 13, 16, 17, 18, 24, 32, 34, 64})
    numbers.insert({max / element, max / element + 1});
  // Added to a base inside the file, rounded up to an alignment, or multiplied, these wrap around
  // to something small.
  for (const uint64_t step :
       {uint64_t{1}, uint64_t{31}, uint64_t{32}, uint64_t{64}, uint64_t{4096}, value, file_bytes})
    numbers.insert(max - step + 1);
  std::vector<uint64_t> result;
  for (const uint64_t number : numbers) {
    const uint64_t fits = number & max;
    if (fits != value && (result.empty() || result.back() != fits)) result.push_back(fits);
  }
  return result;
}

std::vector<uint32_t> HostileTypes() {
  std::vector<uint32_t> types;
  for (uint32_t type = 0; type < 256; ++type) types.push_back(type);
  for (const uint32_t type : {256u, 257u, 65535u, 65536u, 0x01000000u, 0x7fffffffu, 0x80000000u,
                              0xfffffffeu, 0xffffffffu})
    types.push_back(type);
  return types;
}

}  // namespace weft::corruption
