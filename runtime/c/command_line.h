// What the command lines of weft and weft-run have in common.
#pragma once

#include <fcntl.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdint>
#include <limits>
#include <string>

namespace weft {

// Takes what nobody has open of standard input, output and error, so that no file that is opened
// later is read or written in their place. Reading and writing fail then as they do without.
inline void OccupyStandardFiles() {
  for (const int fd : {0, 1, 2}) {
    if (fcntl(fd, F_GETFD) != -1) continue;
    // The lowest descriptor that is free, which is this one.
    (void)!open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
  }
}

// CLI11 itself reads -1 as 2^64 - 1, and 2^64 as well: other seeds than were asked for.
inline const CLI::Validator kSeed(
    [](const std::string& text) {
      uint64_t seed = 0;
      const char* const end = text.data() + text.size();
      const auto [rest, error] = std::from_chars(text.data(), end, seed);
      return error == std::errc() && rest == end ? std::string()
                                                 : "a seed is a number from 0 to 2^64 - 1";
    },
    "");

// A number from `least` on and at most `most`. CLI11's own checks let NaN pass.
inline CLI::Validator NumberFrom(float least, float most, const std::string& what) {
  return CLI::Validator(
      [=](const std::string& text) {
        float number = 0;
        const bool is_number = CLI::detail::lexical_cast(text, number);
        return is_number && number >= least && number <= most ? std::string() : "must be " + what;
      },
      "");
}

// What the sampler takes.
constexpr float kLeastAboveZero = std::numeric_limits<float>::denorm_min();
constexpr float kMostFinite = std::numeric_limits<float>::max();
inline const CLI::Validator kTemperature = NumberFrom(0, kMostFinite, "0 or more, and finite");
inline const CLI::Range kCount(0, std::numeric_limits<int>::max());
inline const CLI::Validator kTopP = NumberFrom(kLeastAboveZero, 1, "above 0 and at most 1");
inline const CLI::Validator kMinP = NumberFrom(0, 1, "from 0 to 1");

}  // namespace weft
