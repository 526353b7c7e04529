// The value of --seed, for command lines.
#pragma once

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdint>
#include <string>

namespace weft {

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

}  // namespace weft
