// What every fuzz target is made of. A target is one function that takes any bytes as a file from a
// stranger: it may give errors, and must neither crash, nor hang, nor take memory out of
// proportion. libFuzzer calls it (scripts/fuzz), and so does replay.cc with what was found before.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/string_view.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace weft::fuzz {

inline absl::string_view Text(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// Chooses what an input alone shall decide, so that it does the same each time.
class Chooser {
 public:
  explicit Chooser(absl::string_view input)
      : number_(std::hash<std::string_view>()({input.data(), input.size()})) {}
  size_t Below(size_t count) {
    const size_t chosen = number_ % count;
    number_ /= count;
    return chosen;
  }
  const std::string& Of(const std::vector<std::string>& items) {
    return items[Below(items.size())];
  }

 private:
  size_t number_;  // what is left of it to take from
};

// A folder of this process, in memory where the system has such a place; gone at exit.
const std::string& ScratchFolder();
// Writes a file there and returns its path.
std::string WriteScratch(const std::string& name, absl::string_view bytes);

// The path of a folder or file of tests/oracle, from the source folder.
std::string OraclePath(absl::string_view path);

}  // namespace weft::fuzz
