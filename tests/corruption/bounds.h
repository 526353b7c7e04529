// Memory and time in proportion to a file: what the tests of bounds have in common.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace weft::corruption {

// What holds of every reader: at its peak it has no more than so many bytes for each of the file's,
// and a megabyte. The worst there is are a JSON array of empty objects (3 bytes each: a value of 16
// in a vector that doubles, and a map of 48), a GGUF table of tensors without dims (25 bytes each:
// an entry of 88, its name, an offset, places in two hash tables), and a vocabulary of tokens of
// three letters (about 12 bytes each: a member of the document, an entry of the lookup, the image).
inline constexpr double kBytesPerByte = 64;
inline constexpr double kConstantBytes = 1 << 20;

using Make = std::function<std::string(size_t n)>;
using Read = std::function<absl::Status(const std::string& file)>;
// A file that is refused early measures the way to there.
enum class Outcome { kTaken, kRefused };

// Fails the test where files of n and 4 n have another outcome, take more than that of the heap, or
// more time than in proportion.
void CheckBounds(const std::string& name, const Make& make, const Read& read, size_t n,
                 Outcome outcome = Outcome::kTaken, double bytes_per_byte = kBytesPerByte);

std::string Repeat(absl::string_view text, size_t n);

}  // namespace weft::corruption
