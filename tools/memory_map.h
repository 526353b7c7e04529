// Where a program keeps what: values of the arena with their lifetimes, weights, the KV cache.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "ir/module.h"
#include "runtime/abi/program.h"

namespace weft::tools {

struct MemoryValue {
  uint64_t offset = 0;  // in its space
  uint64_t bytes = 0;   // with T and L at their maxima
  std::string name;     // of the step that writes it, or of the weights
  std::string kind;     // the op that writes it, or reads it first
  // Places of the steps between which it is in use. None: the caller, before the first step or
  // after the last.
  std::optional<size_t> first_step;
  std::optional<size_t> last_step;
};

struct MemoryMap {
  uint64_t arena_bytes = 0;
  uint64_t weight_bytes = 0;
  uint64_t kv_bytes = 0;
  std::vector<MemoryValue> arena;     // in the order in which they are written
  std::vector<MemoryValue> weights;   // by offset, so in the order in which they are first read
  std::vector<MemoryValue> kv_cache;  // by offset
};

// Lifetimes come from what the steps read and write. `module`, from which the program was built,
// may be null; with it weights bear the names of their tensors.
MemoryMap MapMemory(const Program& program, const ir::Module* module);

// A table for each space.
std::string MemoryText(const MemoryMap& map);
// {"arena_bytes", …, "arena": [{"offset", "bytes", "first_step", "last_step", "kind", "name"}, …],
//  "weights": […], "kv_cache": […]}; null stands for the caller.
nlohmann::ordered_json MemoryJson(const MemoryMap& map);

}  // namespace weft::tools
