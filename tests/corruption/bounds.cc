#include "tests/corruption/bounds.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>

#include "tests/corruption/heap_peak.h"

namespace weft::corruption {
namespace {

// n log n from n to 4n is below 5; 10 leaves room for caches and a machine with other work.
constexpr double kMostGrowth = 10;
// Less is not measured well.
constexpr double kLeastSeconds = 0.01;

}  // namespace

std::string Repeat(absl::string_view text, size_t n) {
  std::string result;
  result.reserve(text.size() * n);
  for (size_t i = 0; i < n; ++i) result.append(text.data(), text.size());
  return result;
}

void CheckBounds(const std::string& name, const Make& make, const Read& read, size_t n,
                 Outcome outcome, double bytes_per_byte) {
  const std::string small = make(n);
  const std::string large = make(4 * n);
  for (const std::string* file : {&small, &large}) {
    const absl::Status status = read(*file);
    EXPECT_EQ(status.ok(), outcome == Outcome::kTaken) << name << ": " << status;
  }
  const size_t peak = HeapPeak([&] { (void)read(large); });
  EXPECT_LE(static_cast<double>(peak),
            bytes_per_byte * static_cast<double>(large.size()) + kConstantBytes)
      << name << ": a file of " << large.size() << " bytes";
  const double least = std::max(CpuSeconds([&] { (void)read(small); }), kLeastSeconds);
  const double most = CpuSeconds([&] { (void)read(large); });
  EXPECT_LE(most / least, kMostGrowth) << name << ": " << small.size() << " bytes take " << least
                                       << " s, " << large.size() << " take " << most;
  if (large.size() < 10'000) return;  // of which there are many, and little to tell
  std::printf("bounds: %s%s: %zu bytes, %.1f bytes of heap for each, %.3f s, of a quarter %.3f s\n",
              name.c_str(), outcome == Outcome::kTaken ? "" : " (refused)", large.size(),
              static_cast<double>(peak) / static_cast<double>(large.size()), most, least);
}

}  // namespace weft::corruption
