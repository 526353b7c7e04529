// The best arithmetic peaks that were seen on this machine, remembered between processes: what is
// measured while others use the CPUs is less than what these can do. The memory roof of a shared
// machine in contrast changes from minute to minute, and is that of the process.
#pragma once

#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace weft::tools {

// 10⁹ multiply-adds a second of all threads together, doing nothing else; 0: unknown.
struct ArithmeticPeaks {
  double q8_0 = 0;
  double f32 = 0;
};

// A JSON file in the user's cache. What cannot be read, or others may have written, counts as
// empty, and what cannot be written is forgotten.
class PeakCache {
 public:
  // An empty path remembers nothing.
  explicit PeakCache(std::string path = DefaultPath()) : path_(std::move(path)) {}

  // The larger of what is measured and what is remembered of the machine, as MachineKey() names it;
  // remembered from now on.
  ArithmeticPeaks Best(const std::string& key, const ArithmeticPeaks& measured);

  // CPU, its features in use, target, threads and the version of Weft.
  static std::string MachineKey(absl::string_view target, int threads);
  // "" where there is no folder for caches, or WEFT_CACHE_SIZE is 0.
  static std::string DefaultPath();

 private:
  std::string path_;
};

}  // namespace weft::tools
