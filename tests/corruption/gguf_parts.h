// A GGUF file that is sound, taken apart at its keys, and values to put in the place of theirs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/numeric/int128.h"

namespace weft::corruption {

struct GgufParts {
  struct Key {
    std::string name;
    std::string value;  // with the type before it
  };
  std::vector<Key> keys;
  uint64_t tensors = 0;
  std::string table;  // of them
  std::string data;
};

// Of version 3, with the usual alignment and no arrays of arrays.
GgufParts SplitGguf(const std::string& file);
std::string JoinGguf(const GgufParts& parts);

// A value, and what it is; of the rest nothing is set.
struct GgufEdge {
  std::string name;
  std::string bytes;                  // with the type before it
  std::optional<absl::int128> whole;  // of an integer type
  std::optional<float> real;          // of a type of floats
  std::optional<bool> flag;
  std::optional<std::string> text;
  std::optional<std::vector<absl::int128>> wholes;  // an array of an integer type
};

// The least, the largest and some between of every type, and small arrays of each.
std::vector<GgufEdge> GgufEdges();

}  // namespace weft::corruption
