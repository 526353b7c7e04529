// What the compiler hands to the runtime: a flat list of steps over three spaces of memory. Plain
// data; a plan file holds it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace weft {

// First argument of every kernel. Generated code reads the fields by offset:
// codegen/kernel_builder.cc knows this layout.
struct KernelContext {
  int64_t tokens;      // T: rows of this run, 1 ≤ T ≤ Program::max_tokens
  int64_t logit_rows;  // L: the last rows of them that need logits, 1 ≤ L ≤ min(T,
                       // Program::max_logit_rows)
  int64_t
      position;  // absolute position of the run's first token; position + tokens ≤ Program::context
};

// Computes units [begin, end) of a step. `operands` are the step's, in its order. Units write
// disjoint bytes, and the result does not depend on how they are grouped. Takes at most
// kKernelStackBytes of the stack.
inline constexpr size_t kKernelStackBytes = 768 << 10;
using KernelFn = void (*)(const KernelContext* context, void* const* operands, int64_t begin,
                          int64_t end);

enum class Space : uint8_t {
  kArena,    // activations of one run, ids and positions among them
  kWeights,  // packed once, read-only
  kKvCache,  // lives as long as the sequence
};

// How many rows a step works on; its units are multiplied by the blocks that they make.
enum class Extent : uint8_t { kOne, kTokens, kLogitRows };

// Bytes [offset, offset + bytes) of a space, with T and L at their maxima.
struct OperandRef {
  Space space = Space::kArena;
  uint64_t offset = 0;
  uint64_t bytes = 0;
  bool written = false;
  // Where not 0: the operand has as many rows as the step's extent, `stride` bytes apart, and units
  // of row r touch row r alone. Row r is [offset + r · stride, + RowWidth()).
  uint64_t stride = 0;
  bool operator==(const OperandRef&) const = default;
};

// Bytes of a row of an operand that has rows; the last one ends where the operand does.
inline uint64_t RowWidth(const OperandRef& operand) {
  return (operand.bytes - 1) % operand.stride + 1;
}

struct Step {
  std::string name;    // location in the model: model.layers.3.mlp.down_proj
  std::string kind;    // the op, with its epilogue: matmul+bias+residual
  std::string kernel;  // symbol of the kernel
  Extent extent = Extent::kOne;
  int64_t units = 1;         // times ⌈the extent's rows / unit_rows⌉
  int64_t grain = 1;         // units that a worker takes at once
  int64_t weight_bytes = 0;  // streamed once per run
  int64_t macs_per_row = 0;  // multiply-adds for each row, matmuls only
  std::string detail;        // for tables: "q8_0 [1536x576]"
  std::vector<OperandRef> operands;
  int64_t unit_rows = 1;  // unit u works on rows from u / units · unit_rows on, so many at most
  bool operator==(const Step&) const = default;
};

// Whether units of row r touch row r alone in some operand. What such a step touches besides is not
// divided into rows.
inline bool WorksByRows(const Step& step) {
  for (const OperandRef& operand : step.operands) {
    if (operand.stride != 0) return true;
  }
  return false;
}

struct Program {
  std::vector<Step> steps;
  uint64_t arena_bytes = 0;
  uint64_t weight_bytes = 0;
  uint64_t kv_bytes = 0;
  int64_t max_tokens = 0;
  int64_t max_logit_rows = 0;
  int64_t context = 0;
  int64_t vocab = 0;
  OperandRef tokens;     // i32[T], written by the caller
  OperandRef positions;  // i32[T], written by the caller
  OperandRef logits;     // f32[L, vocab], rows `logits_stride` bytes apart
  uint64_t logits_stride = 0;
  OperandRef argmax;  // i32[L]
  bool operator==(const Program&) const = default;
};

}  // namespace weft
