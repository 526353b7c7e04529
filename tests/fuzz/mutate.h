// What the targets' structure-aware mutators share. Without them nearly every input dies at the
// first length or bracket that no longer fits, and what lies behind is hardly ever tried.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

// libFuzzer's own mutator: dictionary, compared values, other inputs.
extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace weft::fuzz {

using Random = std::minstd_rand;

// Below n, which is not 0.
size_t Below(size_t n, Random& random);

// libFuzzer's mutation of the bytes, which grow by at most `room`.
std::string MutateBytes(absl::string_view bytes, size_t room, Random& random);

// A value in place of `value` that arithmetic on sizes stumbles over: 0, 1, its neighbours, powers
// of two and what lies beside them, what wraps around when added to or multiplied.
uint64_t MutateInteger(uint64_t value, Random& random);

// JSON that differs from `text` in a few values, keys or elements and is well-formed but for
// keys that occur twice; grows by at most about `room`. Empty where `text` is not JSON.
std::string MutateJson(absl::string_view text, size_t room, Random& random);

// A .gguf file that differs in a few keys, values or tensors, with the lengths that they take (but
// now and then a wrong count); half of the time tensors lie where their types and dims need them.
// Grows by at most about `room`. Empty where `file` cannot be taken apart.
std::string MutateGguf(absl::string_view file, size_t room, Random& random);

// A .safetensors file whose header is mutated as JSON, with the length that it takes; half of the
// time the ranges and data are those that the types and shapes need.
std::string MutateSafetensors(absl::string_view file, size_t room, Random& random);

// The text of a module that differs in a few lines, or in words and numbers of them; grows by at
// most about `room`. Empty where there is nothing in `text` to take hold of.
std::string MutateIr(absl::string_view text, size_t room, Random& random);

// For a target's LLVMFuzzerCustomMutator: `mutate` of the bytes, in place; libFuzzer's own where it
// gives nothing, or too much, and once in eight.
template <typename Mutate>
size_t MutateInPlace(uint8_t* data, size_t size, size_t max_size, unsigned seed, Mutate mutate) {
  Random random(seed + 1);
  if (random() % 8 != 0) {
    const std::string changed = mutate(absl::string_view(reinterpret_cast<const char*>(data), size),
                                       max_size > size ? max_size - size : 0, random);
    if (!changed.empty() && changed.size() <= max_size) {
      changed.copy(reinterpret_cast<char*>(data), changed.size());
      return changed.size();
    }
  }
  return LLVMFuzzerMutate(data, size, max_size);
}

}  // namespace weft::fuzz
