// For tests that try something else in every run: a seed that is told, and can be given again.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>

namespace weft {

// WEFT_SEED of the environment where it is set, else a fresh one; printed, so that a failure in a
// log can be had again.
inline uint32_t TestSeed() {
  const char* const given = std::getenv("WEFT_SEED");
  const uint32_t seed = given != nullptr ? static_cast<uint32_t>(std::strtoul(given, nullptr, 10))
                                         : std::random_device()();
  std::cout << "seed " << seed << " (WEFT_SEED=" << seed << " for the same again)" << std::endl;
  return seed;
}

}  // namespace weft
