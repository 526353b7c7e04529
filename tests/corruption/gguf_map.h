// GGUF a second time, from the specification (ggml's docs/gguf.md) and apart from frontends/: a
// writer that keeps a map of the fields, and a slow reader that says whether a file is one. Sizes
// are 128 bits wide in it, so that nothing in it can wrap around.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace weft::corruption {

enum class FieldKind : uint8_t {
  kMagic,
  kVersion,
  kCount,   // of tensors, keys or elements
  kLength,  // of a string
  kText,    // a string's bytes
  kType,    // of a value or of an array's elements
  kValue,   // a scalar's or array's bytes
  kDims,    // how many dims a tensor has
  kDim,
  kGgmlType,
  kOffset,
  kPadding,
  kData,
};

struct Field {
  FieldKind kind;
  std::string owner;  // "key 'general.alignment'", "tensor 'a'", "the tensor count"
  uint64_t offset = 0;
  uint64_t size = 0;
};

struct GgufImage {
  std::string bytes;
  std::vector<Field> fields;  // all bytes, in order
};

// A file with a value of every type, arrays of each of them and of arrays, tensors of several block
// formats and an alignment of its own.
GgufImage WriteGguf(uint32_t version);

// Whether it is a GGUF file of version 2 or 3 that Weft is to take: as the specification has it,
// not a part of a split model, tensors one behind the other.
bool IsGguf(absl::string_view file);

}  // namespace weft::corruption
