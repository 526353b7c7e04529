// The arithmetic peaks of this machine, remembered between processes: they stay what they are,
// while the memory roof of a shared machine changes from minute to minute and is measured each
// time.
#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace weft::tools {

// 10⁹ multiply-adds a second of all threads together, doing nothing else; 0: unknown.
struct ArithmeticPeaks {
  double q8_0 = 0;
  double f32 = 0;
};

// A JSON file in the user's cache. What cannot be read counts as empty, and what cannot be written
// is measured again next time.
class PeakCache {
 public:
  // An empty path remembers nothing.
  explicit PeakCache(std::string path = DefaultPath()) : path_(std::move(path)) {}

  // Of a machine, as MachineKey() names it.
  std::optional<ArithmeticPeaks> Find(const std::string& key) const;
  void Add(const std::string& key, const ArithmeticPeaks& peaks);

  // CPU, its features in use, target, threads and the version of Weft.
  static std::string MachineKey(absl::string_view target, int threads);
  // "" where there is no folder for caches, or WEFT_CACHE_SIZE is 0.
  static std::string DefaultPath();

 private:
  std::string path_;
};

}  // namespace weft::tools
