// Systematic corruption: what every kind of file's cases have in common. A case is a damaged file
// and a verdict that was reached without the reader under test: by a second, slow reading of the
// format's rules, or because of what was damaged.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace weft::corruption {

enum class Verdict : uint8_t { kRefused, kValid };

struct Expectation {
  Verdict verdict = Verdict::kRefused;
  // All of them stand in the message of a refusal, besides the name of the file if there is one.
  std::vector<std::string> words = {};
  bool offset = true;  // and "byte N", with N inside the file
};

// Counts the cases of one kind. How many there were of each is printed at the end of the program.
class Tally {
 public:
  // `file` is the name that messages must give.
  Tally(std::string kind, std::string file);
  // Of a text whose reader knows no file.
  explicit Tally(std::string kind) : kind_(std::move(kind)) {}

  // Fails the test where the outcome is not as expected. `name` says what was damaged.
  void Check(const std::string& name, size_t file_bytes, const absl::Status& outcome,
             const Expectation& expected);

 private:
  std::string kind_;
  std::optional<std::string> file_;
};

// What takes the place of a size, count or offset of `bits` (32 or 64): 0, 1, its neighbours, the
// largest, powers of two, the largest over sizes of elements and one more, what wraps around when
// added to a base or multiplied.
std::vector<uint64_t> HostileNumbers(uint64_t value, int bits, uint64_t file_bytes);

// Types and enumerations: 0 to 255 and the extremes of 32 bits.
std::vector<uint32_t> HostileTypes();

}  // namespace weft::corruption
